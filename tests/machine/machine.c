/* A machine that misbehaves on request, preloaded into an engine under test (LD_PRELOAD); never part of what is built.
 *
 * FERRULE_TEST_CLOCK    a file of 16 bytes: nanoseconds (int64) by which the wall clock is wrong, read at each look, and the
 *                       errno (int64) with which every change below FERRULE_TEST_BELOW is refused, 0 for none: what a disk
 *                       says that turned read-only (EROFS), or whose owner's quota is used up (EDQUOT).
 * FERRULE_TEST_JOURNAL  a file to which every change below FERRULE_TEST_BELOW is appended in the order in which it was made,
 *                       syncs included, so that what a power loss would have left at any moment can be made afterwards.
 *
 * Records: op (1 byte), then numbers of 8 bytes and texts or bytes behind their length; see tests/tests/power/journal.rs.
 * Only changes through libc are seen: Rust's std and SQLite make theirs so. Workers are not preloaded; what they wrote is
 * recorded whole when the engine syncs it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* The clock ------------------------------------------------------------------------------------------------------- */

static volatile int64_t *wrong;
static pthread_once_t clock_once = PTHREAD_ONCE_INIT;

static void find_clock(void) {
    const char *path = getenv("FERRULE_TEST_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) wrong = at;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int result = real(clock, now);
    pthread_once(&clock_once, find_clock);
    if (result == 0 && wrong && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t all = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + *wrong;
        now->tv_sec = all / 1000000000;
        now->tv_nsec = all % 1000000000;
    }
    return result;
}

/* Refusals and the journal ----------------------------------------------------------------------------------------------------- */

static int journal = -1;
static char below[PATH_MAX];
static size_t below_length;
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

static ssize_t raw_write(int fd, const void *bytes, size_t length) {
    REAL(write);
    return real(fd, bytes, length);
}

static void find_journal(void) {
    const char *path = getenv("FERRULE_TEST_JOURNAL"), *folder = getenv("FERRULE_TEST_BELOW");
    if (!folder || strlen(folder) >= sizeof below) return;
    strcpy(below, folder);
    below_length = strlen(below);
    if (!path) return;
    static int (*real)(const char *, int, ...);
    real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    journal = real(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_on(void) {
    pthread_once(&journal_once, find_journal);
    return journal >= 0;
}

static int is_below(const char *path) {
    return strncmp(path, below, below_length) == 0 && (path[below_length] == '/' || path[below_length] == 0);
}

/* The path of a descriptor, if it lies below. */
static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* Absolute, as the engine names its files. */
static int resolved(int at, const char *name, char *path) {
    if (name[0] == '/') {
        if (strlen(name) >= PATH_MAX) return 0;
        strcpy(path, name);
        return is_below(path);
    }
    if (at == AT_FDCWD || !path_of(at, path)) return 0;
    size_t length = strlen(path);
    if (length + 1 + strlen(name) >= PATH_MAX) return 0;
    path[length] = '/';
    strcpy(path + length + 1, name);
    return 1;
}

/* The error with which a change is refused now; 0 for none. What takes no room is within every quota. */
static int refusal(int takes_room) {
    pthread_once(&clock_once, find_clock);
    int error = wrong ? (int)wrong[1] : 0;
    if (!error || (!takes_room && error != EROFS)) return 0;
    (void)is_on();
    return below_length ? error : 0;
}

static int refuses_fd(int fd, int takes_room) {
    char path[PATH_MAX];
    int error = refusal(takes_room);
    if (!error || !path_of(fd, path)) return 0;
    errno = error;
    return 1;
}

static int refuses(int at, const char *name, int takes_room) {
    char path[PATH_MAX];
    int error = refusal(takes_room);
    if (!error || !resolved(at, name, path)) return 0;
    errno = error;
    return 1;
}

struct record { char *bytes; size_t length, room; };

static void put(struct record *r, const void *bytes, size_t length) {
    if (r->length + length > r->room) {
        r->room = (r->length + length) * 2 + 256;
        r->bytes = realloc(r->bytes, r->room);
        if (!r->bytes) abort();
    }
    memcpy(r->bytes + r->length, bytes, length);
    r->length += length;
}

static void number(struct record *r, int64_t value) { put(r, &value, 8); }
static void text(struct record *r, const void *bytes, size_t length) { number(r, (int64_t)length); put(r, bytes, length); }

static void told(struct record *r) {
    for (size_t done = 0; done < r->length;) {
        ssize_t count = raw_write(journal, r->bytes + done, r->length - done);
        if (count <= 0) abort();
        done += (size_t)count;
    }
    free(r->bytes);
}

static void op(struct record *r, char what, const char *path) {
    memset(r, 0, sizeof *r);
    put(r, &what, 1);
    text(r, path, strlen(path));
}

static void opened(int fd, int flags, const char *path) {
    struct record r;
    struct stat about;
    if (fstat(fd, &about) != 0) return;
    if (S_ISDIR(about.st_mode)) return;
    if (!(flags & (O_CREAT | O_TRUNC))) return;
    op(&r, 'O', path);
    number(&r, (flags & O_TRUNC) != 0);
    told(&r);
}

static int open_at(int at, const char *name, int flags, mode_t mode) {
    static int (*real)(int, const char *, int, ...);
    if (!real) real = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64");
    char path[PATH_MAX];
    int makes = flags & (O_CREAT | O_TRUNC), writes = (flags & O_ACCMODE) != O_RDONLY;
    if ((makes || writes) && refuses(at, name, (flags & O_CREAT) && faccessat(at, name, F_OK, 0) != 0)) return -1;
    if (!is_on() || !resolved(at, name, path)) return real(at, name, flags, mode);
    pthread_mutex_lock(&order);
    int fd = real(at, name, flags, mode), error = errno;
    if (fd >= 0) opened(fd, flags, path);
    pthread_mutex_unlock(&order);
    errno = error;
    return fd;
}

#define MODE \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *name, int flags, ...) { MODE return open_at(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return open_at(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int at, const char *name, int flags, ...) { MODE return open_at(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE return open_at(at, name, flags | O_LARGEFILE, mode); }

static void wrote(const char *path, int64_t offset, const void *bytes, ssize_t count) {
    if (count <= 0) return;
    struct record r;
    op(&r, 'W', path);
    number(&r, offset);
    text(&r, bytes, (size_t)count);
    told(&r);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    char path[PATH_MAX];
    if (refuses_fd(fd, 1)) return -1;
    if (!is_on() || fd == journal || !path_of(fd, path)) return raw_write(fd, bytes, length);
    pthread_mutex_lock(&order);
    struct stat about;
    int append = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
    int64_t offset = append && fstat(fd, &about) == 0 ? about.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t count = raw_write(fd, bytes, length);
    int error = errno;
    wrote(path, offset, bytes, count);
    pthread_mutex_unlock(&order);
    errno = error;
    return count;
}

static ssize_t write_at(int fd, const void *bytes, size_t length, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    char path[PATH_MAX];
    if (refuses_fd(fd, 1)) return -1;
    if (!is_on() || !path_of(fd, path)) return real(fd, bytes, length, offset);
    pthread_mutex_lock(&order);
    ssize_t count = real(fd, bytes, length, offset);
    int error = errno;
    wrote(path, offset, bytes, count);
    pthread_mutex_unlock(&order);
    errno = error;
    return count;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return write_at(fd, bytes, length, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return write_at(fd, bytes, length, offset); }

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    REAL(writev);
    char path[PATH_MAX];
    if (refuses_fd(fd, 1)) return -1;
    if (!is_on() || fd == journal || !path_of(fd, path)) return real(fd, pieces, count);
    /* One after the other: each is recorded as it was written. */
    ssize_t all = 0;
    for (int i = 0; i < count; i++) {
        ssize_t done = write(fd, pieces[i].iov_base, pieces[i].iov_len);
        if (done < 0) return all ? all : done;
        all += done;
        if ((size_t)done < pieces[i].iov_len) break;
    }
    return all;
}

static int cut(int fd, off64_t length) {
    static int (*real)(int, off64_t);
    if (!real) real = (int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64");
    char path[PATH_MAX];
    if (refuses_fd(fd, 0)) return -1;
    if (!is_on() || !path_of(fd, path)) return real(fd, length);
    pthread_mutex_lock(&order);
    int result = real(fd, length), error = errno;
    if (result == 0) {
        struct record r;
        op(&r, 'T', path);
        number(&r, length);
        told(&r);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

/* A file's whole content goes along: a worker may have written it, whom nobody watches. */
static int synced(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    if (!is_on() || !path_of(fd, path)) return real(fd);
    pthread_mutex_lock(&order);
    int result = real(fd), error = errno;
    struct stat about;
    if (result == 0 && fstat(fd, &about) == 0) {
        struct record r;
        op(&r, S_ISDIR(about.st_mode) ? 'D' : 'S', path);
        if (!S_ISDIR(about.st_mode)) {
            int readable = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
            char *bytes = readable ? malloc((size_t)about.st_size + 1) : NULL;
            ssize_t count = bytes ? pread(fd, bytes, (size_t)about.st_size, 0) : -1;
            number(&r, count >= 0);
            text(&r, bytes ? bytes : "", count > 0 ? (size_t)count : 0);
            free(bytes);
        }
        told(&r);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

int fsync(int fd) { REAL(fsync); return synced(fd, real); }
int fdatasync(int fd) { REAL(fdatasync); return synced(fd, real); }

int rename(const char *from, const char *to) {
    REAL(rename);
    char a[PATH_MAX], b[PATH_MAX];
    if (refuses(AT_FDCWD, to, 0)) return -1;
    if (!is_on() || !resolved(AT_FDCWD, from, a) || !resolved(AT_FDCWD, to, b)) return real(from, to);
    pthread_mutex_lock(&order);
    int result = real(from, to), error = errno;
    if (result == 0) {
        struct record r;
        op(&r, 'R', a);
        text(&r, b, strlen(b));
        told(&r);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

static int removed(int at, const char *name, int flags) {
    static int (*real)(int, const char *, int);
    if (!real) real = (int (*)(int, const char *, int))dlsym(RTLD_NEXT, "unlinkat");
    char path[PATH_MAX];
    if (refuses(at, name, 0)) return -1;
    if (!is_on() || !resolved(at, name, path)) return real(at, name, flags);
    pthread_mutex_lock(&order);
    int result = real(at, name, flags), error = errno;
    if (result == 0) {
        struct record r;
        op(&r, 'U', path);
        told(&r);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}

int unlink(const char *name) { return removed(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return removed(AT_FDCWD, name, AT_REMOVEDIR); }
int unlinkat(int at, const char *name, int flags) { return removed(at, name, flags); }

int mkdir(const char *name, mode_t mode) {
    REAL(mkdir);
    char path[PATH_MAX];
    if (refuses(AT_FDCWD, name, 1)) return -1;
    if (!is_on() || !resolved(AT_FDCWD, name, path)) return real(name, mode);
    pthread_mutex_lock(&order);
    int result = real(name, mode), error = errno;
    if (result == 0) {
        struct record r;
        op(&r, 'M', path);
        told(&r);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return result;
}
