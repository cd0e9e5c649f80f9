// A page that knows nothing of its lifecycle.
//
// It is started, stands still when it is not on the screen, and is ended by SIGTERM. What it keeps is in
// $ENSEMBLE_DATA_EL2.

const fs = require("node:fs");
const path = require("node:path");

const counter = path.join(process.env.ENSEMBLE_DATA_EL2, "times");
const times = fs.existsSync(counter) ? Number(fs.readFileSync(counter, "utf8")) + 1 : 1;
fs.writeFileSync(counter, String(times));
console.log(`Hello, started ${times} times`);

const stays = setInterval(() => {}, 1 << 30);
process.on("SIGTERM", () => clearInterval(stays));
