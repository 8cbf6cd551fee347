/* Faults of the machine, by LD_PRELOAD: the n-th write below FAULT_SHIM_ROOT fails or ends its process, clocks jump.
 *
 * All processes of a build map one file of numbers (FAULT_SHIM_CONTROL, see shim.py), so that writes are counted across
 * processes and a fault is armed while they run. A "write" is any call that changes what lies below the root.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITES, FIRST, LAST, ACTION, ERRNO, STRUCK, SHIFT_S, READS, PUBLISHED, FIELDS };
enum { NOTHING, FAIL, DIE, TEAR, FAIL_READ };

static volatile int64_t *control;
static const char *root;
static size_t root_length;
static int64_t skew_s;
static void *python;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("FAULT_SHIM_CONTROL"), *skew = getenv("FAULT_SHIM_SKEW");
    Dl_info found;
    void *symbol = dlsym(RTLD_DEFAULT, "Py_BytesMain");
    if (symbol && dladdr(symbol, &found)) python = found.dli_fbase;
    root = getenv("FAULT_SHIM_ROOT");
    if (!file || !root) return;
    if (skew) skew_s = atoll(skew);
    root_length = strlen(root);
    int fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *mapped = mmap(NULL, FIELDS * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) control = mapped;
}

/* PUBLISHED: only what lies outside the work folder is seen. */
static int below(const char *path) {
    if (!path || strncmp(path, root, root_length) || (path[root_length] != '/' && path[root_length])) return 0;
    return !control[PUBLISHED] || !strstr(path, "/.work");
}

static int ours(int fd) {
    char link[40], path[4096];
    if (!control) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return below(path);
}

static int at(int dir, const char *path) {
    return control && path && (path[0] == '/' ? below(path) : dir != AT_FDCWD && ours(dir));
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Count one call of `field`; tell what happens to it. */
static int counted(int field) {
    int64_t n = __atomic_fetch_add(&control[field], 1, __ATOMIC_SEQ_CST), action = control[ACTION];
    if (action == NOTHING || (field == READS) != (action == FAIL_READ)) return NOTHING;
    if (n < control[FIRST] || n >= control[LAST]) return NOTHING;
    __atomic_fetch_add(&control[STRUCK], 1, __ATOMIC_SEQ_CST);
    if (action == DIE) die();
    if (action != TEAR) errno = (int)control[ERRNO];
    return (int)action;
}

/* True if this call fails. A call that cannot be torn in two is done no more. */
static int fails(void) {
    int action = counted(WRITES);
    if (action == TEAR) die();
    return action == FAIL;
}

#define WRITING(flags) (((flags) & O_ACCMODE) != O_RDONLY || ((flags) & (O_CREAT | O_TRUNC)))

#define OPEN(name, declared, passed, where, path) \
    int name(declared, int flags, ...) { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
        REAL(int, #name, declared, int, ...); \
        if (WRITING(flags) && at(where, path) && fails()) return -1; \
        return real(passed, flags, mode); \
    }
#define COMMA ,
OPEN(open, const char *p, p, AT_FDCWD, p)
OPEN(open64, const char *p, p, AT_FDCWD, p)
OPEN(openat, int d COMMA const char *p, d COMMA p, d, p)
OPEN(openat64, int d COMMA const char *p, d COMMA p, d, p)

#define WRITE(name, declared, passed, half) \
    ssize_t name declared { \
        REAL(ssize_t, #name, UNPACK declared); \
        if (ours(fd)) { \
            int action = counted(WRITES); \
            if (action == FAIL) return -1; \
            if (action == TEAR) { real half; die(); } \
        } \
        return real passed; \
    }
#define UNPACK(...) __VA_ARGS__
WRITE(write, (int fd, const void *b, size_t n), (fd, b, n), (fd, b, n / 2))
WRITE(pwrite, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o), (fd, b, n / 2, o))
WRITE(pwrite64, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o), (fd, b, n / 2, o))
WRITE(writev, (int fd, const struct iovec *v, int n), (fd, v, n), (fd, v, n / 2))
WRITE(sendfile, (int fd, int from, off_t *o, size_t n), (fd, from, o, n), (fd, from, o, n / 2))
WRITE(sendfile64, (int fd, int from, off64_t *o, size_t n), (fd, from, o, n), (fd, from, o, n / 2))

#define READ(name, declared, passed) \
    ssize_t name declared { \
        REAL(ssize_t, #name, UNPACK declared); \
        if (control && control[ACTION] == FAIL_READ && ours(fd) && counted(READS) == FAIL_READ) return -1; \
        return real passed; \
    }
READ(read, (int fd, void *b, size_t n), (fd, b, n))
READ(pread, (int fd, void *b, size_t n, off_t o), (fd, b, n, o))
READ(pread64, (int fd, void *b, size_t n, off64_t o), (fd, b, n, o))

#define CALL(name, declared, passed, condition) \
    int name declared { \
        REAL(int, #name, UNPACK declared); \
        if ((condition) && fails()) return -1; \
        return real passed; \
    }
CALL(fsync, (int fd), (fd), ours(fd))
CALL(fdatasync, (int fd), (fd), ours(fd))
CALL(ftruncate, (int fd, off_t n), (fd, n), ours(fd))
CALL(ftruncate64, (int fd, off64_t n), (fd, n), ours(fd))
CALL(mkdir, (const char *p, mode_t m), (p, m), at(AT_FDCWD, p))
CALL(mkdirat, (int d, const char *p, mode_t m), (d, p, m), at(d, p))
CALL(rename, (const char *a, const char *b), (a, b), at(AT_FDCWD, b))
CALL(renameat, (int d, const char *a, int e, const char *b), (d, a, e, b), at(e, b))
CALL(link, (const char *a, const char *b), (a, b), at(AT_FDCWD, b))
CALL(linkat, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f), at(e, b))
CALL(unlink, (const char *p), (p), at(AT_FDCWD, p) && control[ERRNO] != ENOSPC)
CALL(unlinkat, (int d, const char *p, int f), (d, p, f), at(d, p) && control[ERRNO] != ENOSPC)

/* Only Python's clock jumps: what waits for a moment of the kernel's clock would else wait for days, as no machine does. */
static int64_t shift(const void *caller) {
    Dl_info from;
    if (!control || !(control[SHIFT_S] + skew_s) || !python) return 0;
    return dladdr(caller, &from) && from.dli_fbase == python ? control[SHIFT_S] + skew_s : 0;
}

int clock_gettime(clockid_t id, struct timespec *t) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int failed = real(id, t);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec += shift(__builtin_return_address(0));
    return failed;
}

time_t time(time_t *t) {
    struct timespec now;
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    real(CLOCK_REALTIME, &now);
    now.tv_sec += shift(__builtin_return_address(0));
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}
