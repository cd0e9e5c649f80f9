/*
 * The daemon of `ens bench boot` and `ens bench peers`: the smallest there is that says when it is ready.
 * No C library, no memory of its own but the stack: what a manager does is seen best beside nothing.
 *
 *   daemon            says READY=1 on NOTIFY_SOCKET, if there is one
 *   daemon ID         the same, then notes "ID PID NANOSECONDS" in /bench/records
 *   daemon ID FD      says so by a newline on FD, as s6 has it, then notes
 *
 * Then it waits; any signal that nobody asked to ignore ends it. What fails ends it with the step's number.
 */

enum { WRITE = 1, OPEN = 2, CLOSE = 3, PAUSE = 34, GETPID = 39, SOCKET = 41, SENDTO = 44, EXIT = 231, CLOCK = 228 };
enum { AF_UNIX = 1, SOCK_DGRAM = 2, CREATE_APPEND_WRITE = 0100 | 02000 | 01, BOOTTIME = 7 };

static const char READY[] = "READY=1", VARIABLE[] = "NOTIFY_SOCKET=", RECORDS[] = "/bench/records";

static long call(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}

static long must(long result, int step) {
    if (result < 0) call(EXIT, step, 0, 0, 0, 0, 0);
    return result;
}

/* Decimal, with what ends it; gives where it goes on. */
static char *number(char *to, unsigned long value, char end) {
    char digits[20];
    int n = 0;
    do digits[n++] = '0' + value % 10; while (value /= 10);
    while (n) *to++ = digits[--n];
    *to++ = end;
    return to;
}

/* The value of NOTIFY_SOCKET, or nothing. */
static const char *notify(char **environment) {
    for (; *environment; environment++) {
        unsigned i = 0;
        while (i < sizeof VARIABLE - 1 && (*environment)[i] == VARIABLE[i]) i++;
        if (i == sizeof VARIABLE - 1) return *environment + i;
    }
    return 0;
}

static void say(const char *path) {
    struct { unsigned short family; char path[108]; } to = { AF_UNIX, { 0 } };
    unsigned n = 0;
    if (!path) return;
    for (; path[n]; n++) must(n < sizeof to.path ? 0 : -1, 1), to.path[n] = path[n];
    if (to.path[0] == '@') to.path[0] = 0;
    long fd = must(call(SOCKET, AF_UNIX, SOCK_DGRAM, 0, 0, 0, 0), 2);
    must(call(SENDTO, fd, (long)READY, sizeof READY - 1, 0, (long)&to, sizeof to.family + n), 3);
}

static void record(const char *id) {
    struct { long seconds, nanoseconds; } now;
    char line[80], *end = line;
    must(call(CLOCK, BOOTTIME, (long)&now, 0, 0, 0, 0), 4);
    while (*id && end < line + 32) *end++ = *id++;
    *end++ = ' ';
    end = number(end, call(GETPID, 0, 0, 0, 0, 0, 0), ' ');
    end = number(end, now.seconds * 1000000000 + now.nanoseconds, '\n');
    long fd = must(call(OPEN, (long)RECORDS, CREATE_APPEND_WRITE, 0644, 0, 0, 0), 5);
    must(call(WRITE, fd, (long)line, end - line, 0, 0, 0), 6);
}

/* What the kernel put there: the number of arguments, they, nothing, the environment, nothing. */
__attribute__((used, noreturn)) void begin(long *stack) {
    char **arguments = (char **)(stack + 1);
    if (stack[0] > 2) {
        long fd = 0;
        for (const char *digit = arguments[2]; *digit; digit++) fd = fd * 10 + (*digit - '0');
        must(call(WRITE, fd, (long)"\n", 1, 0, 0, 0), 7);
    } else {
        say(notify(arguments + stack[0] + 1));
    }
    if (stack[0] > 1) record(arguments[1]);
    for (;;) call(PAUSE, 0, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
