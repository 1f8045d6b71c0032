/*
 * Stands between the broker and the files of its store, by LD_PRELOAD. It writes down what is done to them, so that the harness can
 * tell what a disk may have when the power goes, and it fails on demand.
 *
 *   HOOKMQ_SHIM_ROOT     folder whose files are meant, absolute and without links
 *   HOOKMQ_SHIM_TRACE    what is done is appended to this file; nothing is traced without
 *   HOOKMQ_SHIM_CONTROL  a file of at least one page: its first byte says how to fail (enum fault); never without
 *   HOOKMQ_SHIM_DELAY    how long a sync takes at most, in microseconds; it takes that long instead of reaching a disk
 *
 * Every traced call is done and written down under one lock, so the trace has the order of what happened. A sync is written down
 * when it begins and before it returns: it covers what was written before it began. A call that does not go through the C library
 * is not seen; the one that the store makes, rename by a temporary file's persist, is found by the list of names that a folder's
 * sync writes down.
 */
#define _GNU_SOURCE
#include <dirent.h>
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
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum fault { FINE, FULL, WRITE_EIO, SYNC_EIO, READ_ONLY };

#define FDS 65536

struct record {
    uint64_t magic, kind, fd, a, b, length;
};
#define MAGIC 0x484f4f4b4d515452ULL

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int trace = -1;
static unsigned delay;
static volatile unsigned char *control;
static int was_short;
static uint64_t n_syncs;
/* 1 for a file, 2 for a folder of the store. */
static unsigned char tracked[FDS];

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("HOOKMQ_SHIM_ROOT");
    if (!text || strlen(text) >= sizeof root)
        return;
    strcpy(root, text);
    root_length = strlen(root);
    text = getenv("HOOKMQ_SHIM_DELAY");
    delay = text ? (unsigned)atoi(text) : 0;
    text = getenv("HOOKMQ_SHIM_TRACE");
    if (text) {
        int fd = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        /* Out of the way of numbers that the broker uses. */
        trace = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 900);
        syscall(SYS_close, fd);
        if (trace < 0) {
            fprintf(stderr, "shim: %s: %s\n", text, strerror(errno));
            _exit(99);
        }
    }
    text = getenv("HOOKMQ_SHIM_CONTROL");
    if (text) {
        int fd = syscall(SYS_openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC, 0);
        void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        syscall(SYS_close, fd);
        if (page == MAP_FAILED) {
            fprintf(stderr, "shim: %s: %s\n", text, strerror(errno));
            _exit(99);
        }
        control = page;
    }
}

static void put(char kind, int fd, uint64_t a, uint64_t b, const void *data, size_t length)
{
    if (trace < 0)
        return;
    struct record record = {MAGIC, (unsigned char)kind, (uint64_t)fd, a, b, length};
    struct iovec parts[2] = {{&record, sizeof record}, {(void *)data, length}};
    if (syscall(SYS_writev, trace, parts, 2) != (long)(sizeof record + length)) {
        fprintf(stderr, "shim: cannot trace: %s\n", strerror(errno));
        _exit(99);
    }
}

static int is_tracked(int fd)
{
    return fd >= 0 && fd < FDS ? tracked[fd] : 0;
}

/* The path in full; whether it is the store's. */
static int full(int dirfd, const char *path, char *out)
{
    char from[PATH_MAX] = "";
    if (!root_length || !path)
        return 0;
    if (path[0] != '/') {
        if (dirfd == AT_FDCWD) {
            if (!getcwd(from, sizeof from))
                return 0;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
            ssize_t n = readlink(link, from, sizeof from - 1);
            if (n < 0)
                return 0;
            from[n] = 0;
        }
    }
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    int n = snprintf(out, PATH_MAX, "%s%s%s", from, from[0] ? "/" : "", path);
    if (n <= 0 || n >= PATH_MAX)
        return 0;
    while (n > 1 && out[n - 1] == '/')
        out[--n] = 0;
    return strncmp(out, root, root_length) == 0 && (out[root_length] == 0 || out[root_length] == '/');
}

static enum fault fault(void)
{
    enum fault now = control ? (enum fault)control[0] : FINE;
    if (now != FULL)
        was_short = 0;
    return now;
}

/* What a call that changes something fails with; `grows` is one that needs room. */
static int refusal(int grows)
{
    switch (fault()) {
    case FULL: return grows ? ENOSPC : 0;
    case WRITE_EIO: return grows ? EIO : 0;
    case READ_ONLY: return EROFS;
    default: return 0;
    }
}

#define REFUSE(grows)             \
    do {                          \
        int why = refusal(grows); \
        if (why) {                \
            errno = why;          \
            return -1;            \
        }                         \
    } while (0)

static int open_any(int dirfd, const char *path, int flags, mode_t mode)
{
    char name[PATH_MAX];
    if (!full(dirfd, path, name))
        return syscall(SYS_openat, dirfd, path, flags, mode);
    struct stat before, now;
    pthread_mutex_lock(&lock);
    int existed = syscall(SYS_newfstatat, dirfd, path, &before, 0) == 0;
    int why = 0;
    if ((flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC)) {
        enum fault how = fault();
        if (how == READ_ONLY)
            why = EROFS;
        else if (!existed && flags & O_CREAT)
            why = refusal(1);
    }
    int fd = -1;
    if (why) {
        errno = why;
    } else {
        fd = syscall(SYS_openat, dirfd, path, flags, mode);
        if (fd >= 0 && fd < FDS && fstat(fd, &now) == 0) {
            tracked[fd] = S_ISDIR(now.st_mode) ? 2 : 1;
            uint64_t how = (existed ? 0 : 1) | (flags & O_TRUNC ? 2 : 0) | (S_ISDIR(now.st_mode) ? 4 : 0);
            put('O', fd, now.st_ino, how, name + root_length, strlen(name + root_length));
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags)                                    \
    mode_t mode = 0;                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {           \
        va_list rest;                                  \
        va_start(rest, flags);                         \
        mode = va_arg(rest, mode_t);                   \
        va_end(rest);                                  \
    }

int open(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int openat(int dirfd, const char *path, int flags, ...) { MODE(flags) return open_any(dirfd, path, flags, mode); }
int openat64(int dirfd, const char *path, int flags, ...) { MODE(flags) return open_any(dirfd, path, flags, mode); }

int close(int fd)
{
    if (!is_tracked(fd))
        return syscall(SYS_close, fd);
    pthread_mutex_lock(&lock);
    tracked[fd] = 0;
    put('C', fd, 0, 0, NULL, 0);
    int result = syscall(SYS_close, fd);
    pthread_mutex_unlock(&lock);
    return result;
}

static int twin(int fd, int other)
{
    if (other >= 0 && other < FDS && is_tracked(fd)) {
        tracked[other] = tracked[fd];
        put('P', fd, other, 0, NULL, 0);
    }
    return other;
}

static int fcntl_any(int fd, int command, void *argument)
{
    if (!is_tracked(fd) || (command != F_DUPFD && command != F_DUPFD_CLOEXEC))
        return syscall(SYS_fcntl, fd, command, argument);
    pthread_mutex_lock(&lock);
    int other = twin(fd, syscall(SYS_fcntl, fd, command, argument));
    pthread_mutex_unlock(&lock);
    return other;
}

#define ARGUMENT(last)              \
    va_list rest;                   \
    va_start(rest, last);           \
    void *argument = va_arg(rest, void *); \
    va_end(rest);

int fcntl(int fd, int command, ...) { ARGUMENT(command) return fcntl_any(fd, command, argument); }
int fcntl64(int fd, int command, ...) { ARGUMENT(command) return fcntl_any(fd, command, argument); }

int dup(int fd)
{
    pthread_mutex_lock(&lock);
    int other = twin(fd, syscall(SYS_dup, fd));
    pthread_mutex_unlock(&lock);
    return other;
}

/* `at` is -1 for the file's own position. */
static ssize_t write_any(int fd, const struct iovec *parts, int n_parts, off_t at)
{
    size_t length = 0;
    for (int i = 0; i < n_parts; i++)
        length += parts[i].iov_len;
    char *bytes = malloc(length ? length : 1), *end = bytes;
    if (!bytes) {
        errno = ENOMEM;
        return -1;
    }
    for (int i = 0; i < n_parts; i++) {
        memcpy(end, parts[i].iov_base, parts[i].iov_len);
        end += parts[i].iov_len;
    }
    pthread_mutex_lock(&lock);
    int why = refusal(1);
    /* A disk that fills up takes a part first. */
    if (why == ENOSPC && !was_short && length > 1) {
        was_short = 1;
        length /= 2;
        why = 0;
    }
    ssize_t n = -1;
    if (why) {
        errno = why;
    } else {
        n = at < 0 ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, at);
        if (n > 0) {
            off_t start = at < 0 ? syscall(SYS_lseek, fd, 0, SEEK_CUR) - n : at;
            put('W', fd, start, 0, bytes, n);
        }
    }
    pthread_mutex_unlock(&lock);
    int kept = errno;
    free(bytes);
    errno = kept;
    return n;
}

static ssize_t write_one(int fd, const void *bytes, size_t length, off_t at)
{
    struct iovec part = {(void *)bytes, length};
    return write_any(fd, &part, 1, at);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    return is_tracked(fd) ? write_one(fd, bytes, length, -1) : syscall(SYS_write, fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
    return is_tracked(fd) ? write_one(fd, bytes, length, at) : syscall(SYS_pwrite64, fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at)
{
    return pwrite(fd, bytes, length, at);
}

ssize_t writev(int fd, const struct iovec *parts, int n_parts)
{
    return is_tracked(fd) ? write_any(fd, parts, n_parts, -1) : syscall(SYS_writev, fd, parts, n_parts);
}

static int resize(int fd, off_t length)
{
    if (!is_tracked(fd))
        return syscall(SYS_ftruncate, fd, length);
    struct stat now;
    pthread_mutex_lock(&lock);
    int why = refusal(fstat(fd, &now) == 0 && now.st_size < length);
    int result = -1;
    if (why)
        errno = why;
    else if ((result = syscall(SYS_ftruncate, fd, length)) == 0)
        put('T', fd, length, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t length) { return resize(fd, length); }
int ftruncate64(int fd, off_t length) { return resize(fd, length); }

/* Calls that change a file in ways that are not traced: the harness has to learn of them. */
static void untraced(int fd, const char *what)
{
    if (is_tracked(fd)) {
        pthread_mutex_lock(&lock);
        put('?', fd, 0, 0, what, strlen(what));
        pthread_mutex_unlock(&lock);
    }
}

static int allocate(int fd, int mode, off_t at, off_t length)
{
    if (is_tracked(fd)) {
        REFUSE(1);
        /* Room without a new length changes nothing that can be read. */
        if (mode != FALLOC_FL_KEEP_SIZE)
            untraced(fd, "fallocate");
    }
    return syscall(SYS_fallocate, fd, mode, at, length);
}

int fallocate(int fd, int mode, off_t at, off_t length) { return allocate(fd, mode, at, length); }
int fallocate64(int fd, int mode, off_t at, off_t length) { return allocate(fd, mode, at, length); }
int posix_fallocate(int fd, off_t at, off_t length) { return allocate(fd, 0, at, length) ? errno : 0; }
int posix_fallocate64(int fd, off_t at, off_t length) { return allocate(fd, 0, at, length) ? errno : 0; }

/* Whoever copies within the kernel copies by hand where the kernel cannot, and that is traced. */
static int by_hand(int fd, int why)
{
    if (!is_tracked(fd))
        return 0;
    errno = why;
    return 1;
}

ssize_t copy_file_range(int in, off64_t *at_in, int out, off64_t *at_out, size_t length, unsigned flags)
{
    return by_hand(out, ENOSYS) ? -1 : syscall(SYS_copy_file_range, in, at_in, out, at_out, length, flags);
}

ssize_t sendfile(int out, int in, off_t *at, size_t length)
{
    return by_hand(out, EINVAL) ? -1 : syscall(SYS_sendfile, out, in, at, length);
}

ssize_t sendfile64(int out, int in, off64_t *at, size_t length)
{
    return by_hand(out, EINVAL) ? -1 : syscall(SYS_sendfile, out, in, at, length);
}

static void *map(void *where, size_t length, int allowed, int flags, int fd, off_t at)
{
    if (flags & MAP_SHARED && allowed & PROT_WRITE)
        untraced(fd, "mmap for writing");
    return (void *)syscall(SYS_mmap, where, length, allowed, flags, fd, at);
}

void *mmap(void *where, size_t length, int allowed, int flags, int fd, off_t at)
{
    return map(where, length, allowed, flags, fd, at);
}

void *mmap64(void *where, size_t length, int allowed, int flags, int fd, off_t at)
{
    return map(where, length, allowed, flags, fd, at);
}

/* The names in a folder, each with the number of its file: "number name\0". */
static void put_names(int fd)
{
    char path[64];
    static char names[1 << 20];
    size_t length = 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        int n = snprintf(names + length, sizeof names - length, "%llu %s", (unsigned long long)entry->d_ino, entry->d_name);
        if (n < 0 || (size_t)n + 1 >= sizeof names - length) {
            fprintf(stderr, "shim: too many names in a folder\n");
            _exit(99);
        }
        length += n + 1;
    }
    if (folder)
        closedir(folder);
    put('N', fd, 0, 0, names, length);
}

static int sync_any(int fd, int is_data, long number)
{
    if (!is_tracked(fd))
        return syscall(number, fd);
    enum fault how = fault();
    if (how == SYNC_EIO || how == READ_ONLY) {
        errno = how == SYNC_EIO ? EIO : EROFS;
        return -1;
    }
    if (trace < 0)
        return syscall(number, fd);
    pthread_mutex_lock(&lock);
    uint64_t sync = ++n_syncs;
    if (tracked[fd] == 2)
        put_names(fd);
    put('S', fd, sync, is_data, NULL, 0);
    pthread_mutex_unlock(&lock);
    if (delay)
        usleep(rand() % delay);
    pthread_mutex_lock(&lock);
    put('E', fd, sync, is_data, NULL, 0);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) { return sync_any(fd, 0, SYS_fsync); }
int fdatasync(int fd) { return sync_any(fd, 1, SYS_fdatasync); }

/* Promises nothing, and is taken for nothing. */
int sync_file_range(int fd, off64_t at, off64_t length, unsigned flags)
{
    return is_tracked(fd) && trace >= 0 ? 0 : syscall(SYS_sync_file_range, fd, at, length, flags);
}

static int rename_any(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char names[2 * PATH_MAX], name[PATH_MAX];
    int is_from = full(from_dir, from, names), is_to = full(to_dir, to, name);
    if (!is_from && !is_to)
        return syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    REFUSE(0);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (result == 0) {
        if (is_from && is_to && !flags) {
            size_t first = strlen(names + root_length), second = strlen(name + root_length);
            char both[2 * PATH_MAX];
            memcpy(both, names + root_length, first + 1);
            memcpy(both + first + 1, name + root_length, second);
            put('R', 0, 0, 0, both, first + 1 + second);
        } else {
            put('?', 0, 0, 0, "rename across the folder's border", 33);
        }
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int rename(const char *from, const char *to) { return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return rename_any(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return rename_any(a, from, b, to, flags); }

static int remove_any(int dirfd, const char *path, int flags)
{
    char name[PATH_MAX];
    if (!full(dirfd, path, name))
        return syscall(SYS_unlinkat, dirfd, path, flags);
    REFUSE(0);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_unlinkat, dirfd, path, flags);
    if (result == 0)
        put('U', 0, 0, 0, name + root_length, strlen(name + root_length));
    pthread_mutex_unlock(&lock);
    return result;
}

int unlink(const char *path) { return remove_any(AT_FDCWD, path, 0); }
int unlinkat(int dirfd, const char *path, int flags) { return remove_any(dirfd, path, flags); }
int rmdir(const char *path) { return remove_any(AT_FDCWD, path, AT_REMOVEDIR); }

static int make_any(int dirfd, const char *path, mode_t mode)
{
    char name[PATH_MAX];
    if (!full(dirfd, path, name))
        return syscall(SYS_mkdirat, dirfd, path, mode);
    REFUSE(1);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_mkdirat, dirfd, path, mode);
    if (result == 0)
        put('M', 0, 0, 0, name + root_length, strlen(name + root_length));
    pthread_mutex_unlock(&lock);
    return result;
}

int mkdir(const char *path, mode_t mode) { return make_any(AT_FDCWD, path, mode); }
int mkdirat(int dirfd, const char *path, mode_t mode) { return make_any(dirfd, path, mode); }
