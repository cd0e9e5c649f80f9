const fs = require("node:fs");
const path = require("node:path");
const greet = require("greet");

const counter = path.join(process.env.ENSEMBLE_DATA_EL2, "times");
const times = fs.existsSync(counter) ? Number(fs.readFileSync(counter, "utf8")) + 1 : 1;
fs.writeFileSync(counter, String(times));
console.log(greet(`start ${times}`), `by node ${process.version}, from ${require.resolve("greet")}`);
console.log("the linter is", fs.existsSync(path.join(__dirname, "node_modules/linter")) ? "there" : "left out");

const stays = setInterval(() => {}, 1 << 30);
process.on("SIGTERM", () => {
    console.log("ended in order");
    clearInterval(stays);
});
