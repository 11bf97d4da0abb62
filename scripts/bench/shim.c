/* Sees, and on demand fails, the calls of a process that change files below one folder.

   Preloaded (LD_PRELOAD) it does nothing until it is armed with a state file: by the variable FILE_SHIM when a program
   starts, or by shim_arm() in a forked process. All processes that share a state file share its lock, so that their
   calls are traced in the order in which they happened, and its count of the calls that may be failed. */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
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
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real; })
enum { WRITE = 1, FSYNC, RENAME, OPEN, MKDIR, UNLINK, TRUNCATE };      /* what can be failed */
enum { ONCE, EVER_AFTER, SHORT };                                      /* how; SHORT: half is written, then no more */

struct state {
    pthread_mutex_t lock;
    char prefix[PATH_MAX], trace[PATH_MAX], hit[PATH_MAX];
    int call, number, how;                                             /* which call fails, with which errno */
    long at, count, hits;
};
struct record {                                                        /* then two paths and the data */
    uint32_t magic;
    uint8_t kind, created, folder, unused;
    uint32_t process;
    int32_t flags;
    uint64_t inode;
    int64_t offset;
    uint32_t path, other;
    uint64_t data;
};
static struct state *shared;
static __thread int inside;

/* ---- the state ---- */

EXPORT int shim_make(const char *where, const char *prefix, const char *trace, int call, int number, int how, long at)
{
    struct state fresh;
    pthread_mutexattr_t kind;
    int fd = syscall(SYS_openat, AT_FDCWD, where, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    memset(&fresh, 0, sizeof fresh);
    snprintf(fresh.prefix, PATH_MAX, "%s", prefix);
    snprintf(fresh.trace, PATH_MAX, "%s", trace);
    fresh.call = call, fresh.number = number, fresh.how = how, fresh.at = at;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);          /* its owner may be killed */
    pthread_mutex_init(&fresh.lock, &kind);
    long done = syscall(SYS_write, fd, &fresh, sizeof fresh);
    syscall(SYS_close, fd);
    return done == (long)sizeof fresh ? 0 : -1;
}

static struct state *opened(const char *where)
{
    int fd = syscall(SYS_openat, AT_FDCWD, where, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    void *at = (void *)syscall(SYS_mmap, NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    return at == MAP_FAILED ? NULL : at;
}

EXPORT int shim_arm(const char *where) { return (shared = opened(where)) ? 0 : -1; }

EXPORT long shim_look(const char *where, long *count, char *hit, int size)
{
    struct state *found = opened(where);
    if (!found)
        return -1;
    long hits = found->hits;
    *count = found->count;
    snprintf(hit, size, "%s", found->hit);
    munmap(found, sizeof *found);
    return hits;
}

__attribute__((constructor)) static void start(void)
{
    const char *where = getenv("FILE_SHIM");
    if (where && *where && shim_arm(where))
        dprintf(2, "shim: %s cannot be used\n", where);
}

static void take(void)
{
    inside = 1;
    if (pthread_mutex_lock(&shared->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&shared->lock);
}

static void give(void)
{
    int kept = errno;
    pthread_mutex_unlock(&shared->lock);
    inside = 0;
    errno = kept;
}

/* Under the lock: is this call to fail? 1: yes, errno is set; 2: half of it is to be done. */
static int refused(int call, const char *path)
{
    if (call != shared->call || !shared->at)
        return 0;
    long count = ++shared->count;
    if (count < shared->at || (count > shared->at && shared->how == ONCE))
        return 0;
    if (!shared->hits++)
        snprintf(shared->hit, PATH_MAX, "%s", path);
    if (count == shared->at && shared->how == SHORT)
        return 2;
    errno = shared->number;
    return 1;
}

/* ---- paths ---- */

static int below(const char *path)
{
    size_t length = strlen(shared->prefix);
    return !strncmp(path, shared->prefix, length) && (path[length] == '/' || !path[length]);
}

/* The file behind a descriptor, if it is watched; whatever was duplicated, inherited or sent. */
static int watched(int fd, char *path)
{
    char link[64];
    if (!shared || inside || fd < 0)
        return 0;
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    errno = kept;
    if (size <= 0)
        return 0;
    path[size] = 0;
    return below(path);
}

/* The absolute path of a name, if it is watched. */
static int placed(int at, const char *name, char *path)
{
    char raw[2 * PATH_MAX], link[64], *to = path, *save = NULL;
    if (!shared || inside || !name)
        return 0;
    int kept = errno;
    if (*name == '/')
        snprintf(raw, sizeof raw, "%s", name);
    else {
        snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
        ssize_t size = readlink(link, raw, PATH_MAX - 1);
        if (size < 0)
            size = 0;
        snprintf(raw + size, sizeof raw - size, "/%s", name);
    }
    errno = kept;
    *to = 0;
    for (char *part = strtok_r(raw, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        if (!strcmp(part, "."))
            continue;
        if (!strcmp(part, "..")) {
            while (to > path && *--to != '/') {}
            *to = 0;
        } else
            to += snprintf(to, PATH_MAX - (to - path), "/%s", part);
        if (to - path >= PATH_MAX - 1)
            return 0;
    }
    return below(path);
}

/* ---- the trace ---- */

static void put(char kind, struct record row, const char *path, const char *other, const struct iovec *from, int count)
{
    int kept = errno;
    if (!*shared->trace)
        return;
    row.magic = 0x4d494853, row.kind = kind, row.process = getpid();
    row.path = strlen(path), row.other = other ? strlen(other) : 0;
    size_t size = sizeof row + row.path + row.other + row.data, left = row.data;
    char *all = malloc(size), *to = all;
    to = mempcpy(mempcpy(mempcpy(to, &row, sizeof row), path, row.path), other ? other : "", row.other);
    for (int i = 0; i < count && left; i++) {
        size_t part = from[i].iov_len < left ? from[i].iov_len : left;
        to = mempcpy(to, from[i].iov_base, part);
        left -= part;
    }
    int fd = syscall(SYS_openat, AT_FDCWD, shared->trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || syscall(SYS_write, fd, all, size) != (long)size)
        dprintf(2, "shim: the trace cannot be written\n"), _exit(97);
    syscall(SYS_close, fd);
    free(all);
    errno = kept;
}

static struct record about(int fd)
{
    struct stat found = {0};
    fstat(fd, &found);
    return (struct record){.inode = found.st_ino, .folder = S_ISDIR(found.st_mode)};
}

#define UNKNOWN(path, what) put('?', (struct record){0}, path, what, NULL, 0)
#include "shim_calls.h"
