/* The calls themselves: each is done, and traced, under the one lock; or failed. */

/* ---- opening ---- */

static int entered(int at, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    struct stat before;
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
    if (!writes || !placed(at, name, path))
        return syscall(SYS_openat, at, name, flags, mode);
    take();
    int there = !lstat(path, &before), fd = -1;
    if (!refused(OPEN, path)) {
        fd = syscall(SYS_openat, at, name, flags, mode);
        if (fd >= 0) {
            struct record row = about(fd);
            row.created = !there, row.flags = flags;
            if ((flags & O_TMPFILE) == O_TMPFILE)
                UNKNOWN(path, "O_TMPFILE");
            else if (!there || (flags & O_TRUNC))
                put('o', row, path, NULL, NULL, 0);
        }
    }
    give();
    return fd;
}

#define MODE(last) ({ mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) \
    { va_list more; va_start(more, last); mode = va_arg(more, mode_t); va_end(more); } mode; })
EXPORT int open(const char *name, int flags, ...) { return entered(AT_FDCWD, name, flags, MODE(flags)); }
EXPORT int open64(const char *name, int flags, ...) { return entered(AT_FDCWD, name, flags, MODE(flags)); }
EXPORT int openat(int at, const char *name, int flags, ...) { return entered(at, name, flags, MODE(flags)); }
EXPORT int openat64(int at, const char *name, int flags, ...) { return entered(at, name, flags, MODE(flags)); }
EXPORT int __open_2(const char *name, int flags) { return entered(AT_FDCWD, name, flags, 0); }
EXPORT int __open64_2(const char *name, int flags) { return entered(AT_FDCWD, name, flags, 0); }
EXPORT int __openat_2(int at, const char *name, int flags) { return entered(at, name, flags, 0); }
EXPORT int __openat64_2(int at, const char *name, int flags) { return entered(at, name, flags, 0); }
EXPORT int creat(const char *name, mode_t mode) { return entered(AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, mode); }
EXPORT int creat64(const char *name, mode_t mode) { return creat(name, mode); }

/* What goes through a FILE is written inside libc, where nobody sees it: so a watched one is opened here, loudly. */
static FILE *streamed(const char *name, const char *how, FILE *(*real)(const char *, const char *))
{
    char path[PATH_MAX];
    if ((strchr(how, 'w') || strchr(how, 'a') || strchr(how, '+')) && placed(AT_FDCWD, name, path)) {
        take();
        UNKNOWN(path, "fopen");
        give();
    }
    return real(name, how);
}
EXPORT FILE *fopen(const char *name, const char *how) { return streamed(name, how, REAL(fopen)); }
EXPORT FILE *fopen64(const char *name, const char *how) { return streamed(name, how, REAL(fopen64)); }

/* ---- writing ---- */

static ssize_t written(int fd, const struct iovec *from, int count, off_t at)
{
    char path[PATH_MAX];
    struct iovec half = {from[0].iov_base, (from[0].iov_len + 1) / 2};
    struct stat found;
    if (!watched(fd, path))
        return at < 0 ? syscall(SYS_writev, fd, from, count) : syscall(SYS_pwritev, fd, from, count, at, 0L);
    take();
    int no = refused(WRITE, path);
    ssize_t done = -1;
    if (no != 1) {
        struct record row = about(fd);
        int appends = fcntl(fd, F_GETFL) & O_APPEND;
        row.offset = appends ? (fstat(fd, &found), found.st_size) : at < 0 ? lseek(fd, 0, SEEK_CUR) : at;
        if (no == 2)
            from = &half, count = 1;
        done = at < 0 ? syscall(SYS_writev, fd, from, count) : syscall(SYS_pwritev, fd, from, count, at, 0L);
        row.data = done > 0 ? done : 0;
        if (done > 0)
            put('w', row, path, NULL, from, count);
    }
    give();
    return done;
}

#define ONE {(void *)from, size}
EXPORT ssize_t write(int fd, const void *from, size_t size) { struct iovec one = ONE; return written(fd, &one, 1, -1); }
EXPORT ssize_t pwrite(int fd, const void *from, size_t size, off_t at) { struct iovec one = ONE; return written(fd, &one, 1, at); }
EXPORT ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) { return pwrite(fd, from, size, at); }
EXPORT ssize_t writev(int fd, const struct iovec *from, int count) { return written(fd, from, count, -1); }
EXPORT ssize_t pwritev(int fd, const struct iovec *from, int count, off_t at) { return written(fd, from, count, at); }
EXPORT ssize_t pwritev64(int fd, const struct iovec *from, int count, off64_t at) { return written(fd, from, count, at); }

/* What the kernel copies is copied here instead, through memory, so that it is seen. */
static ssize_t carried(int to, int from, off_t *offset, size_t size)
{
    char piece[1 << 16];
    if (size > sizeof piece)
        size = sizeof piece;
    ssize_t got = offset ? pread(from, piece, size, *offset) : read(from, piece, size);
    struct iovec one = {piece, got > 0 ? got : 0};
    ssize_t done = got > 0 ? written(to, &one, 1, -1) : got;
    if (offset && done > 0)
        *offset += done;
    else if (done >= 0 && got > done)
        lseek(from, done - got, SEEK_CUR);
    return done;
}
EXPORT ssize_t sendfile(int to, int from, off_t *offset, size_t size)
{
    char path[PATH_MAX];
    return watched(to, path) ? carried(to, from, offset, size) : syscall(SYS_sendfile, to, from, offset, size);
}
EXPORT ssize_t sendfile64(int to, int from, off64_t *offset, size_t size) { return sendfile(to, from, offset, size); }
EXPORT ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t size, unsigned flags)
{
    char path[PATH_MAX];
    if (!watched(to, path))
        return syscall(SYS_copy_file_range, from, at, to, there, size, flags);
    errno = EXDEV; /* callers copy by themselves then */
    return -1;
}

static int shortened(int fd, off_t size)
{
    char path[PATH_MAX];
    if (!watched(fd, path))
        return syscall(SYS_ftruncate, fd, size);
    take();
    int done = -1;
    if (!refused(TRUNCATE, path) && !(done = syscall(SYS_ftruncate, fd, size))) {
        struct record row = about(fd);
        row.offset = size;
        put('t', row, path, NULL, NULL, 0);
    }
    give();
    return done;
}
EXPORT int ftruncate(int fd, off_t size) { return shortened(fd, size); }
EXPORT int ftruncate64(int fd, off64_t size) { return shortened(fd, size); }

/* Watched files are not synced in truth: no plug is pulled here, and the disk would take longer than a small trial. */
static int synced(int fd, long call)
{
    char path[PATH_MAX];
    if (!watched(fd, path))
        return syscall(call, fd);
    take();
    int done = refused(FSYNC, path) ? -1 : 0;
    if (!done)
        put('s', about(fd), path, NULL, NULL, 0);
    give();
    return done;
}
EXPORT int fsync(int fd) { return synced(fd, SYS_fsync); }
EXPORT int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

/* ---- names ---- */

static int moved(int at, const char *name, int there, const char *other, unsigned flags)
{
    char path[PATH_MAX], next[PATH_MAX];
    int from = placed(at, name, path), to = placed(there, other, next);
    if (!from && !to)
        return syscall(SYS_renameat2, at, name, there, other, flags);
    take();
    int done = -1;
    if (!refused(RENAME, to ? next : path) && !(done = syscall(SYS_renameat2, at, name, there, other, flags))) {
        if (!from || !to || (flags & RENAME_EXCHANGE))
            UNKNOWN(path, next);
        else
            put('r', (struct record){0}, path, next, NULL, 0);
    }
    give();
    return done;
}
EXPORT int rename(const char *a, const char *b) { return moved(AT_FDCWD, a, AT_FDCWD, b, 0); }
EXPORT int renameat(int at, const char *a, int to, const char *b) { return moved(at, a, to, b, 0); }
EXPORT int renameat2(int at, const char *a, int to, const char *b, unsigned flags) { return moved(at, a, to, b, flags); }

/* One name changes: by which call, traced as what. */
#define NAMED(at, name, call, kind, doing) ({ \
    char path[PATH_MAX]; int done = -1; \
    if (!placed(at, name, path)) done = doing; \
    else { \
        take(); \
        if (!refused(call, path) && !(done = doing)) { \
            struct stat found = {0}; lstat(path, &found); \
            put(kind, (struct record){.inode = found.st_ino}, path, NULL, NULL, 0); } \
        give(); } \
    done; })
EXPORT int unlink(const char *name) { return NAMED(AT_FDCWD, name, UNLINK, 'u', syscall(SYS_unlinkat, AT_FDCWD, name, 0)); }
EXPORT int unlinkat(int at, const char *name, int flags) { return NAMED(at, name, UNLINK, 'u', syscall(SYS_unlinkat, at, name, flags)); }
EXPORT int rmdir(const char *name) { return NAMED(AT_FDCWD, name, UNLINK, 'u', syscall(SYS_unlinkat, AT_FDCWD, name, AT_REMOVEDIR)); }
EXPORT int remove(const char *name) { int done = unlink(name); return done && errno == EISDIR ? rmdir(name) : done; }
EXPORT int mkdir(const char *name, mode_t mode) { return NAMED(AT_FDCWD, name, MKDIR, 'd', syscall(SYS_mkdirat, AT_FDCWD, name, mode)); }
EXPORT int mkdirat(int at, const char *name, mode_t mode) { return NAMED(at, name, MKDIR, 'd', syscall(SYS_mkdirat, at, name, mode)); }

static int linked(int at, const char *name, int there, const char *other, int flags)
{
    char path[PATH_MAX], next[PATH_MAX];
    int from = placed(at, name, path), to = placed(there, other, next);
    if (!to)
        return syscall(SYS_linkat, at, name, there, other, flags);
    take();
    int done = syscall(SYS_linkat, at, name, there, other, flags);
    if (!done && from)
        put('l', (struct record){0}, path, next, NULL, 0);
    else if (!done)
        UNKNOWN(next, "link from elsewhere");
    give();
    return done;
}
EXPORT int link(const char *a, const char *b) { return linked(AT_FDCWD, a, AT_FDCWD, b, 0); }
EXPORT int linkat(int at, const char *a, int to, const char *b, int flags) { return linked(at, a, to, b, flags); }

/* ---- what the model of a power cut does not know: said loudly ---- */

#define LOUD(at, name, what) ({ char path[PATH_MAX]; if (placed(at, name, path)) { take(); UNKNOWN(path, what); give(); } })
#define LOUD_FD(fd, what) ({ char path[PATH_MAX]; if (watched(fd, path)) { take(); UNKNOWN(path, what); give(); } })
EXPORT int symlink(const char *to, const char *name) { LOUD(AT_FDCWD, name, "symlink"); return REAL(symlink)(to, name); }
EXPORT int symlinkat(const char *to, int at, const char *name) { LOUD(at, name, "symlink"); return REAL(symlinkat)(to, at, name); }
EXPORT int truncate(const char *name, off_t size) { LOUD(AT_FDCWD, name, "truncate"); return REAL(truncate)(name, size); }
EXPORT int truncate64(const char *name, off64_t size) { LOUD(AT_FDCWD, name, "truncate"); return REAL(truncate64)(name, size); }
EXPORT int fallocate(int fd, int mode, off_t at, off_t size) { LOUD_FD(fd, "fallocate"); return REAL(fallocate)(fd, mode, at, size); }
EXPORT int posix_fallocate(int fd, off_t at, off_t size) { LOUD_FD(fd, "fallocate"); return REAL(posix_fallocate)(fd, at, size); }
EXPORT void *mmap(void *at, size_t size, int may, int flags, int fd, off_t offset)
{
    if ((flags & MAP_SHARED) && (may & PROT_WRITE) && fd >= 0)
        LOUD_FD(fd, "mmap for writing");
    return (void *)syscall(SYS_mmap, at, size, may, flags, fd, offset);
}
EXPORT void *mmap64(void *at, size_t size, int may, int flags, int fd, off64_t offset) { return mmap(at, size, may, flags, fd, offset); }
