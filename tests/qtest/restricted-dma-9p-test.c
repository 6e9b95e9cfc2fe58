/*
 * Restricted DMA pools: virtio-9p
 *
 * The later tests have clients that try to end, stop or bloat QEMU without
 * leaving the pool: with more fids than there is memory for, and with requests
 * that are served at the same time although they belong together.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include "restricted-dma/9p.h"
#include "restricted-dma/host.h"
#include "restricted-dma/request.h"

#define FID     1               /* of the file, which is open */
#define TEXT    "read through the pool"
#define ROOM    512             /* for an answer */
#define XATTR   "user.restricted-dma"

/* The request, and room for @room bytes of the answer */
static void add(RdpClient *c, GByteArray *msg, uint32_t room)
{
    rdp_client_add(c, msg->data, msg->len);
    rdp_client_add(c, NULL, room);
    g_byte_array_unref(msg);
}

static uint8_t answer_type(RdpClient *c, unsigned buf)
{
    return qtest_readb(c->guest->qts, c->bufs[buf].addr + RDP_9P_TYPE);
}

static void check(RdpClient *c)
{
    uint8_t request = qtest_readb(c->guest->qts,
                                  c->bufs[0].addr + RDP_9P_TYPE);

    g_assert_cmpuint(answer_type(c, 1), ==, request + 1);
}

static void serve(RdpClient *c, GByteArray *msg)
{
    c->n = 0;
    add(c, msg, ROOM);
    rdp_ring_serve(&c->ring, c->bufs, c->n);
}

static void run(RdpClient *c, GByteArray *msg)
{
    serve(c, msg);
    check(c);
}

static bool is_error(uint8_t type)
{
    return type == RDP_9P_RLERROR || type == RDP_9P_RERROR;
}

/* The error that was answered, or 0 */
static uint32_t answered_error(RdpClient *c)
{
    QTestState *qts = c->guest->qts;
    uint64_t error = c->bufs[1].addr + RDP_9P_HEADER;
    uint8_t type = answer_type(c, 1);

    if (type == RDP_9P_RERROR) {
        /* The number comes after a text */
        error += 2 + qtest_readw(qts, error);
    }
    return is_error(type) ? qtest_readl(qts, error) : 0;
}

/* Returns the error, or 0 */
static uint32_t try(RdpClient *c, GByteArray *msg)
{
    serve(c, msg);
    return answered_error(c);
}

/* The same for a request that is longer than a page */
static uint32_t try_long(RdpClient *c, GByteArray *msg)
{
    c->bufs[0] = (RdpBuf) { c->guest->base + MiB, msg->len, false };
    c->bufs[1] = (RdpBuf) { RDP_BUF(c->guest, 1), ROOM, true };
    rdp_poke(c->guest, c->bufs[0].addr, msg->data, msg->len);
    g_byte_array_unref(msg);
    rdp_ring_serve(&c->ring, c->bufs, 2);
    return answered_error(c);
}

static GByteArray *version(void)
{
    return rdp_9p_version(RDP_9P_MSIZE, "9P2000.L");
}

static GByteArray *old_version(void)
{
    return rdp_9p_version(RDP_9P_MSIZE, "9P2000.u");
}

static void fill_version(RdpClient *c)
{
    add(c, version(), ROOM);
}

static void begin(RdpClient *c)
{
    g_autofree char *path = g_build_filename(c->dir, "file", NULL);

    g_assert_true(g_file_set_contents(path, TEXT, -1, NULL));
    run(c, version());
    run(c, rdp_9p_attach(RDP_9P_ROOT));
    run(c, rdp_9p_walk(FID, "file"));
    run(c, rdp_9p_lopen(FID));
}

/* The answer has a header and a count, and then the data */
static void fill_read(RdpClient *c)
{
    add(c, rdp_9p_read(FID, strlen(TEXT)), RDP_9P_HEADER + 4);
    rdp_client_add(c, NULL, strlen(TEXT));
}

static void check_read(RdpClient *c)
{
    check(c);
    rdp_client_assert_result(c, 2, TEXT, strlen(TEXT));
}

static void finish(RdpClient *c)
{
    g_autofree char *path = g_build_filename(c->dir, "file", NULL);

    g_unlink(path);
}

#define DEVICE  "virtio-9p-pci,fsdev=fs0,mount_tag=tag"

static const RdpRequest requests[] = {
    { "9p/version", DEVICE, "-fsdev local,id=fs0,path=%s,security_model=none",
      .fill = fill_version, .check = check },
    { "9p/read", DEVICE, "-fsdev local,id=fs0,path=%s,security_model=none",
      .begin = begin, .fill = fill_read, .check = check_read,
      .finish = finish },
};

/* What a client can do to its server */

/* @options are those of the file system */
static void start_fs(RdpClient *c, const char *fs_options, const char *options,
                     const char *more)
{
    c->request = &requests[0];
    c->dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);
    g_assert_nonnull(c->dir);
    c->guest = rdp_start_device(&c->dev, rdp_machine(), "-fsdev local,id=fs0,"
                                "path=%s,security_model=none%s -device "
                                DEVICE "%s," RDP_CONFINED " %s", c->dir,
                                fs_options, options, more);
    rdp_client_setup(c);
    begin(c);
}

/* @options are those of the device, and what comes @more than that */
static void start(RdpClient *c, const char *options, const char *more)
{
    start_fs(c, "", options, more);
}

static void remove_all(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        g_remove(path);
    }
    g_rmdir(folder);
}

static void stop(RdpClient *c)
{
    rdp_device_stop(&c->dev);
    remove_all(c->dir);
    g_free(c->dir);
}

static void make_dir(RdpClient *c, const char *name)
{
    g_autofree char *path = g_build_filename(c->dir, name, NULL);

    g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
}

/* Make several requests available at once; returns the answers' types */
static void run_together(RdpClient *c, GByteArray **messages, unsigned n,
                         uint8_t *answers)
{
    RdpGuest *guest = c->guest;
    unsigned i;

    for (i = 0; i < n; i++) {
        RdpBuf bufs[] = {
            { RDP_BUF(guest, 2 * i), messages[i]->len, false },
            { RDP_BUF(guest, 2 * i + 1), ROOM, true },
        };

        rdp_poke(guest, bufs[0].addr, messages[i]->data, messages[i]->len);
        g_byte_array_unref(messages[i]);
        rdp_ring_add(&c->ring, bufs, 2, RDP_NO_TABLE);
    }
    rdp_ring_kick(&c->ring);
    rdp_ring_wait(&c->ring);
    for (i = 0; i < n; i++) {
        answers[i] = qtest_readb(guest->qts,
                                 RDP_BUF(guest, 2 * i + 1) + RDP_9P_TYPE);
    }
}

/* Fids are limited, and come back when they are clunked */
static void test_fids(void)
{
    RdpClient c = { };
    uint32_t fid;

    start(&c, ",max-fids=20", "");
    /* The root, and an open file which counts as nine */
    for (fid = 10; fid < 20; fid++) {
        g_assert_cmpuint(try(&c, rdp_9p_walk(fid, "file")), ==, 0);
    }
    g_assert_cmpuint(try(&c, rdp_9p_walk(fid, "file")), ==, ENFILE);
    g_assert_cmpuint(try(&c, rdp_9p_attach(fid)), ==, ENFILE);
    g_assert_cmpuint(try(&c, rdp_9p_lopen(10)), ==, ENFILE);

    g_assert_cmpuint(try(&c, rdp_9p_fid(RDP_9P_TCLUNK, FID)), ==, 0);
    g_assert_cmpuint(try(&c, rdp_9p_lopen(10)), ==, 0);
    g_assert_cmpuint(try(&c, rdp_9p_walk(fid, "file")), ==, 0);
    g_assert_cmpuint(try(&c, rdp_9p_walk(fid + 1, "file")), ==, ENFILE);

    /* So they do when the device is reset */
    rdp_client_setup(&c);
    begin(&c);
    g_assert_cmpuint(try(&c, rdp_9p_walk(10, "file")), ==, 0);
    stop(&c);
}

/* Without max-fids there is a limit as well */
static void test_default(void)
{
    RdpClient c = { };
    uint32_t fid, err = 0;

    start(&c, "", "");
    for (fid = 10; !err; fid++) {
        g_assert_cmpuint(fid, <, 10000);
        err = try(&c, rdp_9p_walk(fid, "file"));
    }
    g_assert_cmpuint(err, ==, ENFILE);
    stop(&c);
}

/* An answer to Treaddir is short, whatever the client has room for */
static void test_readdir(void)
{
    const uint32_t room = MiB;
    RdpClient c = { };
    uint32_t len;
    unsigned i;
    GByteArray *msg;

    start(&c, "", "");
    for (i = 0; i < 1000; i++) {
        g_autofree char *path = g_strdup_printf("%s/name-of-a-file-%u", c.dir,
                                                i);

        g_assert_true(g_file_set_contents(path, "", 0, NULL));
    }
    run(&c, rdp_9p_version(room, "9P2000.L"));
    run(&c, rdp_9p_attach(RDP_9P_ROOT));
    run(&c, rdp_9p_lopen(RDP_9P_ROOT));
    msg = rdp_9p_fid(RDP_9P_TREADDIR, RDP_9P_ROOT);
    rdp_9p_put(msg, 0, 8);
    rdp_9p_put(msg, room - 100, 4);
    c.n = 0;
    add(&c, msg, ROOM);
    c.bufs[1].addr = c.guest->base + MiB;
    c.bufs[1].len = room;
    rdp_ring_serve(&c.ring, c.bufs, c.n);
    check(&c);
    len = rdp_client_result32(&c, 1);
    g_assert_cmpuint(len, >, 8 * KiB);
    g_assert_cmpuint(len, <=, 16 * KiB + 11);
    stop(&c);
}

static GByteArray *lcreate(uint32_t fid, const char *name)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TLCREATE, fid);

    rdp_9p_put_string(msg, name);
    rdp_9p_put(msg, O_RDWR, 4);
    rdp_9p_put(msg, 0600, 4);
    rdp_9p_put(msg, 0, 4);
    return msg;
}

/* The requests of 9P2000.u that open */
static GByteArray *open_old(uint32_t fid)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TOPEN, fid);

    rdp_9p_put(msg, 0, 1);
    return msg;
}

static GByteArray *create(uint32_t fid, const char *name)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TCREATE, fid);

    rdp_9p_put_string(msg, name);
    rdp_9p_put(msg, 0600, 4);
    rdp_9p_put(msg, 2, 1);          /* read and write */
    rdp_9p_put_string(msg, "");
    return msg;
}

/* Make a fid of an attribute, or of the list of all if @name is "" */
static GByteArray *xattrwalk(uint32_t fid, uint32_t newfid, const char *name)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TXATTRWALK, fid);

    rdp_9p_put(msg, newfid, 4);
    rdp_9p_put_string(msg, name);
    return msg;
}

static GByteArray *xattrcreate(uint32_t fid, uint64_t size)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TXATTRCREATE, fid);

    rdp_9p_put_string(msg, XATTR);
    rdp_9p_put(msg, size, 8);
    rdp_9p_put(msg, 0, 4);
    return msg;
}

static GByteArray *getattr(uint32_t fid)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TGETATTR, fid);

    rdp_9p_put(msg, UINT64_MAX, 8);
    return msg;
}

/* Of two that open a fid at the same time, one succeeds */
static void assert_one_opens(RdpClient *c, GByteArray *first,
                             GByteArray *second)
{
    GByteArray *messages[] = { first, second };
    uint8_t types[] = {
        first->data[RDP_9P_TYPE] + 1, second->data[RDP_9P_TYPE] + 1,
    };
    uint8_t answers[2];

    run_together(c, messages, 2, answers);
    if (is_error(answers[0])) {
        g_assert_cmpuint(answers[1], ==, types[1]);
    } else {
        g_assert_cmpuint(answers[0], ==, types[0]);
        g_assert_true(is_error(answers[1]));
    }
}

static void test_open_twice(void)
{
    RdpClient c = { };

    start(&c, "", "");
    run(&c, rdp_9p_walk(10, ""));
    assert_one_opens(&c, rdp_9p_lopen(10), rdp_9p_lopen(10));
    run(&c, rdp_9p_walk(11, ""));
    assert_one_opens(&c, lcreate(11, "new"), rdp_9p_lopen(11));
    /* What Txattrwalk makes is an open fid, too */
    assert_one_opens(&c, xattrwalk(RDP_9P_ROOT, 12, ""), rdp_9p_lopen(12));
    /* So is one for an attribute; Txattrcreate waits for nothing but others */
    run(&c, rdp_9p_walk(13, "file"));
    assert_one_opens(&c, rdp_9p_lopen(13), xattrcreate(13, 100));
    run(&c, rdp_9p_walk(14, ""));
    assert_one_opens(&c, lcreate(14, "newer"), xattrcreate(14, 100));
    stop(&c);
}

/* The same with the requests of the old protocol */
static void test_open_twice_old(void)
{
    RdpClient c = { };

    start(&c, "", "");
    run(&c, old_version());
    run(&c, rdp_9p_attach(RDP_9P_ROOT));
    run(&c, rdp_9p_walk(10, ""));
    assert_one_opens(&c, open_old(10), open_old(10));
    run(&c, rdp_9p_walk(11, ""));
    assert_one_opens(&c, open_old(11), create(11, "new"));
    run(&c, rdp_9p_walk(12, ""));
    assert_one_opens(&c, create(12, "newer"), open_old(12));
    run(&c, rdp_9p_walk(13, ""));
    assert_one_opens(&c, create(13, "one"), create(13, "other"));
    stop(&c);
}

/* While Tversion closes a file, a directory gets the old protocol */
static void test_two_protocols(void)
{
    GByteArray *messages[] = {
        old_version(), rdp_9p_attach(RDP_9P_ROOT),
    };
    uint8_t answers[2];
    RdpClient c = { };

    start(&c, "", "");
    run_together(&c, messages, 2, answers);
    g_assert_cmpuint(answers[0], ==, RDP_9P_TVERSION + 1);
    g_assert_cmpuint(answers[1], ==, RDP_9P_TATTACH + 1);

    run(&c, open_old(RDP_9P_ROOT));
    messages[0] = rdp_9p_read(RDP_9P_ROOT, ROOM - 11);
    messages[1] = rdp_9p_read(RDP_9P_ROOT, ROOM - 11);
    run_together(&c, messages, 2, answers);
    stop(&c);
}

/*
 * A request that has waited does not clunk a fid that came later.  @request
 * waits for a thread, and then clunks CLUNKED.
 */
#define CLUNKED 10

static void assert_clunks_its_own(RdpClient *c, GByteArray *request,
                                  uint8_t answer)
{
    /* Tversion has nothing to wait for, as no file is open */
    GByteArray *messages[] = { request, version(), rdp_9p_attach(CLUNKED) };
    uint8_t answers[3];

    run_together(c, messages, 3, answers);
    g_assert_cmpuint(answers[0], ==, answer);
    g_assert_cmpuint(answers[1], ==, RDP_9P_TVERSION + 1);
    g_assert_cmpuint(answers[2], ==, RDP_9P_TATTACH + 1);

    run(c, getattr(CLUNKED));
}

static void test_clunk_remove(void)
{
    RdpClient c = { };

    start(&c, "", "");
    run(&c, rdp_9p_fid(RDP_9P_TCLUNK, FID));
    run(&c, rdp_9p_walk(CLUNKED, "file"));
    assert_clunks_its_own(&c, rdp_9p_fid(RDP_9P_TREMOVE, CLUNKED),
                          RDP_9P_TREMOVE + 1);
    stop(&c);
}

/* The file is gone, and with it what Txattrwalk asks for */
static void test_clunk_xattrwalk(const void *name)
{
    g_autofree char *file = NULL;
    RdpClient c = { };

    start(&c, "", "");
    file = g_build_filename(c.dir, "file", NULL);
    run(&c, rdp_9p_fid(RDP_9P_TCLUNK, FID));
    run(&c, rdp_9p_walk(FID, "file"));
    g_assert_cmpint(g_unlink(file), ==, 0);
    assert_clunks_its_own(&c, xattrwalk(FID, CLUNKED, name), RDP_9P_RLERROR);
    stop(&c);
}

/* A fid is not there while a thread, as this back end has, finds its path */
static void test_attach_early(void)
{
    GByteArray *messages[] = { rdp_9p_attach(10), getattr(10) };
    uint8_t answers[2];
    RdpClient c = { };

    rdp_client_start(&c, &requests[0], "-fsdev synth,id=fs0");
    rdp_client_setup(&c);
    run(&c, version());
    run_together(&c, messages, 2, answers);
    g_assert_cmpuint(answers[0], ==, RDP_9P_TATTACH + 1);
    g_assert_cmpuint(answers[1], ==, RDP_9P_RLERROR);
    run(&c, getattr(10));
    rdp_device_stop(&c.dev);
}

/* Start with so few file descriptors that fids have to share them */
static void start_with_few_files(RdpClient *c, const char *options)
{
    struct rlimit before, few;

    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    few = before;
    few.rlim_cur = 200;
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &few), ==, 0);
    start(c, options, "");
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
}

/* Files that are more than the descriptors: those of many are reclaimed */
#define MANY        310
#define FIRST       11

static void open_many(RdpClient *c, const char *name)
{
    uint32_t fid;

    for (fid = FIRST; fid < FIRST + MANY; fid++) {
        run(c, rdp_9p_walk(fid, name));
        run(c, rdp_9p_lopen(fid));
    }
}

/* Leave directory 10 without its descriptor, with a file in it */
static void open_directory(RdpClient *c)
{
    g_autofree char *path = NULL;

    start_with_few_files(c, "");
    make_dir(c, "dir");
    path = g_build_filename(c->dir, "dir", "inside", NULL);
    g_assert_true(g_file_set_contents(path, TEXT, -1, NULL));
    run(c, rdp_9p_walk(10, "dir"));
    run(c, rdp_9p_lopen(10));
    open_many(c, "file");
}

static GByteArray *rename_to(uint32_t fid, uint32_t dir, const char *name)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TRENAME, fid);

    rdp_9p_put(msg, dir, 4);
    rdp_9p_put_string(msg, name);
    return msg;
}

/* Rename into a directory whose descriptor was given to other files */
static void test_rename_reclaimed(void)
{
    const uint32_t fid = FIRST + MANY;
    RdpClient c = { };

    open_directory(&c);
    run(&c, rdp_9p_walk(fid, "file"));
    run(&c, rename_to(fid, 10, "inside"));
    /* Back, so that the folder can be removed */
    run(&c, rename_to(fid, RDP_9P_ROOT, "file"));
    stop(&c);
}

static GByteArray *rename_at(uint32_t from, const char *old, uint32_t to,
                             const char *new)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TRENAMEAT, from);

    rdp_9p_put_string(msg, old);
    rdp_9p_put(msg, to, 4);
    rdp_9p_put_string(msg, new);
    return msg;
}

/* The same with Trenameat, also within the directory */
static void test_renameat_reclaimed(const void *within)
{
    RdpClient c = { };

    open_directory(&c);
    if (within) {
        run(&c, rename_at(10, "inside", UINT32_MAX, "new"));
        run(&c, rename_at(10, "new", RDP_9P_ROOT, "moved"));
    } else {
        run(&c, rename_at(RDP_9P_ROOT, "file", 10, "inside"));
        run(&c, rename_at(10, "inside", RDP_9P_ROOT, "moved"));
    }
    stop(&c);
}

/*
 * A fid whose descriptor was reclaimed cannot be opened again, as its file is
 * gone, and is clunked while the server tries.  It is counted no more.
 */
static void test_reopen_clunked(void)
{
    /* The root, an open file, and as many open files as open_many() has */
    g_autofree char *options = g_strdup_printf(",max-fids=%d",
                                               1 + 9 + 9 * MANY);
    g_autofree char *file = NULL, *other = NULL;
    unsigned gone = 0;
    uint32_t fid;
    RdpClient c = { };

    start_with_few_files(&c, options);
    file = g_build_filename(c.dir, "file", NULL);
    other = g_build_filename(c.dir, "other", NULL);
    g_assert_true(g_file_set_contents(other, TEXT, -1, NULL));
    open_many(&c, "file");
    g_assert_cmpint(g_unlink(file), ==, 0);
    for (fid = FIRST; fid < FIRST + MANY; fid++) {
        GByteArray *messages[] = {
            getattr(fid), rdp_9p_fid(RDP_9P_TCLUNK, fid),
        };
        uint8_t answers[2];

        run_together(&c, messages, 2, answers);
        gone += answers[0] == RDP_9P_RLERROR;
        g_assert_cmpuint(answers[1], ==, RDP_9P_TCLUNK + 1);
    }
    g_assert_cmpuint(gone, >, 0);
    open_many(&c, "other");
    g_assert_cmpuint(try(&c, rdp_9p_walk(10, "other")), ==, ENFILE);
    stop(&c);
}

/* What a fid holds of an attribute is counted, too */
static void test_xattrcreate_memory(void)
{
    RdpClient c = { };

    start(&c, ",max-fids=20", "");
    run(&c, rdp_9p_walk(10, "file"));
    g_assert_cmpuint(try(&c, xattrcreate(10, 64 * KiB)), ==, ENFILE);
    run(&c, xattrcreate(10, 100));
    stop(&c);
}

static void test_xattrwalk_memory(void)
{
    const char value[100] = "of an attribute";
    g_autofree char *path = NULL;
    uint32_t fid;
    RdpClient c = { };

    start(&c, ",max-fids=20", "");
    path = g_build_filename(c.dir, "file", NULL);
    if (setxattr(path, XATTR, value, sizeof(value), 0)) {
        g_test_skip("no extended attributes for temporary files");
        stop(&c);
        return;
    }
    /* The root and the open file count as ten; there is room for one more */
    for (fid = 11; fid < 20; fid++) {
        run(&c, rdp_9p_walk(fid, "file"));
    }
    g_assert_cmpuint(try(&c, xattrwalk(FID, 30, XATTR)), ==, ENFILE);
    g_assert_cmpuint(try(&c, xattrwalk(FID, 30, "")), ==, ENFILE);
    run(&c, rdp_9p_fid(RDP_9P_TCLUNK, 11));
    run(&c, xattrwalk(FID, 30, XATTR));
    g_assert_cmpuint(try(&c, rdp_9p_walk(11, "file")), ==, ENFILE);
    stop(&c);
}

/* Long paths: a directory below others, each named by 255 letters */

#define DEEP        30              /* its fid */
#define DEPTH       15
#define NAME_LEN    255
#define FITS_LEN    253             /* the longest name that fits into it */

static char *name_of(unsigned len)
{
    return g_strnfill(len, 'n');
}

static void move(const char *from, const char *to)
{
    g_assert_cmpint(g_rename(from, to), ==, 0);
}

/* The host cannot name such a path: build it from its end on */
static void nest(RdpClient *c)
{
    g_autofree char *name = name_of(NAME_LEN);
    g_autofree char *dir = g_build_filename(c->dir, name, NULL);
    g_autofree char *outer = g_build_filename(c->dir, "outer", NULL);
    g_autofree char *inside = g_build_filename(outer, name, NULL);
    unsigned i;

    make_dir(c, name);
    for (i = 1; i < DEPTH; i++) {
        make_dir(c, "outer");
        move(dir, inside);
        move(outer, dir);
    }
}

static void remove_nest(RdpClient *c)
{
    g_autofree char *name = name_of(NAME_LEN);
    g_autofree char *dir = g_build_filename(c->dir, name, NULL);
    g_autofree char *inside = g_build_filename(dir, name, NULL);
    g_autofree char *inner = g_build_filename(c->dir, "inner", NULL);

    while (g_file_test(inside, G_FILE_TEST_IS_DIR)) {
        move(inside, inner);
        g_assert_cmpint(g_rmdir(dir), ==, 0);
        move(inner, dir);
    }
    remove_all(dir);
}

static void walk_down(RdpClient *c)
{
    g_autofree char *name = name_of(NAME_LEN);
    unsigned i;

    run(c, rdp_9p_walk(DEEP, ""));
    for (i = 0; i < DEPTH; i++) {
        run(c, rdp_9p_walk_from(DEEP, DEEP, name));
    }
}

static void start_deep(RdpClient *c)
{
    start(c, "", "");
    nest(c);
    walk_down(c);
}

static void stop_deep(RdpClient *c)
{
    remove_nest(c);
    stop(c);
}

/* No path that a fid has is longer than that of a file on the host may be */
static void test_long_walk(void)
{
    g_autofree char *fits = name_of(FITS_LEN);
    g_autofree char *too_long = name_of(FITS_LEN + 1);
    g_autofree char *longest = name_of(4096);
    GByteArray *msg;
    RdpClient c = { };

    start_deep(&c);
    g_assert_cmpuint(try(&c, rdp_9p_walk_from(DEEP, 10, fits)), ==, ENOENT);
    g_assert_cmpuint(try(&c, rdp_9p_walk_from(DEEP, 10, too_long)), ==,
                     ENAMETOOLONG);

    /* A name that never fits is refused before any other is looked up */
    msg = rdp_9p_fid(RDP_9P_TWALK, RDP_9P_ROOT);
    rdp_9p_put(msg, 10, 4);
    rdp_9p_put(msg, 2, 2);
    rdp_9p_put_string(msg, "nothing");
    rdp_9p_put_string(msg, longest);
    g_assert_cmpuint(try_long(&c, msg), ==, ENAMETOOLONG);
    stop_deep(&c);
}

/* Nor does a request have a text that is longer than any path */
static void test_long_wstat(void)
{
    /* The name is the first one; it has limits of its own */
    enum { TEXTS = 5 };
    unsigned text, i;
    RdpClient c = { };

    start(&c, "", "");
    run(&c, old_version());
    run(&c, rdp_9p_attach(RDP_9P_ROOT));
    for (text = 1; text < TEXTS; text++) {
        uint32_t len;

        for (len = 4095; len <= 4096; len++) {
            g_autofree char *letters = name_of(len);
            GByteArray *msg = rdp_9p_fid(RDP_9P_TWSTAT, RDP_9P_ROOT);
            uint32_t error;

            rdp_9p_put(msg, 0, 2);
            for (i = 0; i < 41; i++) {
                rdp_9p_put(msg, 0xff, 1);   /* do not change that */
            }
            for (i = 0; i < TEXTS; i++) {
                rdp_9p_put_string(msg, i == text ? letters : "");
            }
            for (i = 0; i < 3; i++) {
                rdp_9p_put(msg, UINT32_MAX, 4);
            }
            error = try_long(&c, msg);
            if (len < 4096) {
                g_assert_cmpuint(error, !=, ENAMETOOLONG);
            } else {
                g_assert_cmpuint(error, ==, ENAMETOOLONG);
            }
        }
    }
    stop(&c);
}

/* @old: with the request of the old protocol */
static void test_long_create(const void *old)
{
    g_autofree char *fits = name_of(FITS_LEN);
    g_autofree char *too_long = name_of(FITS_LEN + 1);
    RdpClient c = { };

    start_deep(&c);
    if (old) {
        run(&c, old_version());
        run(&c, rdp_9p_attach(RDP_9P_ROOT));
        walk_down(&c);
    }
    g_assert_cmpuint(try(&c, old ? create(DEEP, too_long) :
                                   lcreate(DEEP, too_long)), ==, ENAMETOOLONG);
    run(&c, old ? create(DEEP, fits) : lcreate(DEEP, fits));
    stop_deep(&c);
}

/* The fid that is renamed */
static void test_long_rename(void)
{
    g_autofree char *fits = name_of(FITS_LEN);
    g_autofree char *too_long = name_of(FITS_LEN + 1);
    RdpClient c = { };

    start_deep(&c);
    run(&c, rdp_9p_walk(10, "file"));
    g_assert_cmpuint(try(&c, rename_to(10, DEEP, too_long)), ==, ENAMETOOLONG);
    g_assert_cmpuint(try(&c, rename_at(RDP_9P_ROOT, "file", DEEP, too_long)),
                     ==, ENAMETOOLONG);
    run(&c, rename_to(10, DEEP, fits));
    run(&c, rename_at(DEEP, fits, RDP_9P_ROOT, "file"));
    run(&c, rename_at(RDP_9P_ROOT, "file", DEEP, fits));
    stop_deep(&c);
}

/* One that is below what is renamed */
static void test_long_rename_above(void)
{
    g_autofree char *name = name_of(NAME_LEN);
    RdpClient c = { };

    start_deep(&c);
    run(&c, rename_at(RDP_9P_ROOT, name, RDP_9P_ROOT, "short"));
    run(&c, rdp_9p_walk(10, "short"));
    run(&c, rdp_9p_walk_from(DEEP, 11, ""));
    run(&c, lcreate(11, name));
    g_assert_cmpuint(try(&c, rename_to(10, RDP_9P_ROOT, name)), ==,
                     ENAMETOOLONG);
    g_assert_cmpuint(try(&c, rename_at(RDP_9P_ROOT, "short", RDP_9P_ROOT,
                                       name)), ==, ENAMETOOLONG);
    run(&c, rdp_9p_fid(RDP_9P_TCLUNK, 11));
    run(&c, rename_to(10, RDP_9P_ROOT, name));
    stop_deep(&c);
}

/* A client cannot fill the host's log */
static void test_log(void)
{
    char *log = rdp_log_new();
    g_autofree char *more = g_strdup_printf("2>%s", log);
    g_auto(GStrv) lines = NULL;
    GByteArray *msg;
    unsigned i;
    RdpClient c = { };

    start(&c, "", more);
    for (i = 0; i < 50; i++) {
        msg = rdp_9p_message(RDP_9P_TFLUSH);
        rdp_9p_put(msg, 0, 2);      /* the tag of all our requests */
        run(&c, msg);
        g_assert_cmpuint(try(&c, rdp_9p_version(1, "9P2000.L")), !=, 0);
    }
    stop(&c);
    lines = rdp_log_lines(log);
    g_assert_cmpuint(g_strv_length(lines), <, 10);
    rdp_log_free(log);
}

/* A reset does not wait for requests that a throttle holds back */
static void test_throttled_reset(void)
{
    RdpClient c = { };
    int64_t since;

    start_fs(&c, ",throttling.iops-total=1", "", "");
    for (int i = 0; i < RDP_RING_SIZE / 2; i++) {
        c.n = 0;
        add(&c, rdp_9p_read(FID, strlen(TEXT)), ROOM);
        rdp_ring_submit(&c.ring, c.bufs, c.n);
    }
    rdp_settle(c.guest->qts);
    g_assert_cmpuint(rdp_ring_used(&c.ring), <, c.ring.added);
    since = g_get_monotonic_time();
    rdp_reset(&c.dev);
    rdp_assert_answers_since(c.guest->qts, since);
    rdp_client_setup(&c);
    begin(&c);
    stop(&c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    rdp_add_requests(requests, ARRAY_SIZE(requests));
    if (qtest_has_device("virtio-9p-pci")) {
        qtest_add_func("/restricted-dma/9p/fids", test_fids);
        qtest_add_func("/restricted-dma/9p/default", test_default);
        qtest_add_func("/restricted-dma/9p/readdir", test_readdir);
        qtest_add_func("/restricted-dma/9p/open-twice", test_open_twice);
        qtest_add_func("/restricted-dma/9p/open-twice-old",
                       test_open_twice_old);
        qtest_add_func("/restricted-dma/9p/two-protocols",
                       test_two_protocols);
        qtest_add_func("/restricted-dma/9p/clunk/remove", test_clunk_remove);
        qtest_add_data_func("/restricted-dma/9p/clunk/xattrwalk", XATTR,
                            test_clunk_xattrwalk);
        qtest_add_data_func("/restricted-dma/9p/clunk/xattrwalk-list", "",
                            test_clunk_xattrwalk);
        qtest_add_func("/restricted-dma/9p/attach-early", test_attach_early);
        qtest_add_func("/restricted-dma/9p/rename-reclaimed",
                       test_rename_reclaimed);
        qtest_add_data_func("/restricted-dma/9p/renameat-reclaimed/to", NULL,
                            test_renameat_reclaimed);
        qtest_add_data_func("/restricted-dma/9p/renameat-reclaimed/within",
                            "within", test_renameat_reclaimed);
        qtest_add_func("/restricted-dma/9p/reopen-clunked",
                       test_reopen_clunked);
        qtest_add_func("/restricted-dma/9p/xattrcreate-memory",
                       test_xattrcreate_memory);
        qtest_add_func("/restricted-dma/9p/xattrwalk-memory",
                       test_xattrwalk_memory);
        qtest_add_func("/restricted-dma/9p/long/walk", test_long_walk);
        qtest_add_data_func("/restricted-dma/9p/long/create", NULL,
                            test_long_create);
        qtest_add_data_func("/restricted-dma/9p/long/create-old", "old",
                            test_long_create);
        qtest_add_func("/restricted-dma/9p/long/wstat", test_long_wstat);
        qtest_add_func("/restricted-dma/9p/long/rename", test_long_rename);
        qtest_add_func("/restricted-dma/9p/long/rename-above",
                       test_long_rename_above);
        qtest_add_func("/restricted-dma/9p/log", test_log);
        qtest_add_func("/restricted-dma/9p/throttled-reset",
                       test_throttled_reset);
    }
    return g_test_run();
}
