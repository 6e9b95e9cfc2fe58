/*
 * Restricted DMA pools: a vhost-user back end that does what the test says
 *
 * QEMU waits for answers while the test waits for QEMU, so the back end is a
 * thread.  It keeps what it learns under a lock.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include "qemu/bitops.h"
#include "qemu/sockets.h"
#include "guest.h"
#include "back-end.h"
#include "standard-headers/linux/virtio_blk.h"
#include "standard-headers/linux/virtio_config.h"

/* Bits of the protocol */
#define F_LOG_ALL               26
#define F_PROTOCOL_FEATURES     30
#define FLAG_VERSION            1
#define FLAG_REPLY              4
#define FLAG_NEED_REPLY         8
#define BACKEND_IOTLB_MSG       1
#define IOTLB_MISS              1

/* Bytes of memory for each bit of the log */
#define VHOST_LOG_PAGE          0x1000

/* Memory slots of a back end that takes regions one by one */
#define MEM_SLOTS               32

typedef struct Header {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
} QEMU_PACKED Header;

typedef struct Message {
    Header hdr;
    union {
        uint64_t u64;
        struct vhost_vring_state state;
        struct vhost_vring_addr addr;
        struct {
            uint32_t n;
            uint32_t padding;
            RdpVhostRegion regions[RDP_VHOST_REGIONS];
        } QEMU_PACKED table;
        struct {
            uint64_t padding;
            RdpVhostRegion region;
        } QEMU_PACKED one;
        struct {
            uint64_t size;
            uint64_t offset;
        } QEMU_PACKED log;
        struct {
            uint32_t offset;
            uint32_t size;
            uint32_t flags;
            uint8_t bytes[256];
        } QEMU_PACKED config;
        struct {
            uint64_t mmap_size;
            uint64_t mmap_offset;
            uint16_t num_queues;
            uint16_t queue_size;
        } inflight;
        struct {
            uint64_t iova;
            uint64_t size;
            uint64_t addr;
            uint8_t perm;
            uint8_t type;
        } iotlb;
    };
    int fds[RDP_VHOST_REGIONS];
    unsigned n_fds;
} Message;

struct RdpBackEnd {
    char *dir;
    char *path;
    uint64_t protocol_features;
    int listener;
    int wake;                   /* eventfd: look at what follows */
    GThread *thread;

    GMutex lock;
    RdpVhostState state;
    bool running;
    bool quit;
    bool hang_up;
    bool refuse_to_run;
    bool refuse_to_stop;
    RdpVhostSpeech speech;
    RdpVhostRequest refused;    /* or 0 */
    RdpVhostInflight inflight;
};

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

/* Replace a descriptor by the one that came with a message, if any */
static void take_fd(Message *msg, int *fd)
{
    close_fd(fd);
    if (msg->n_fds) {
        *fd = msg->fds[0];
        msg->fds[0] = -1;
    }
}

static void close_regions(RdpVhostState *state)
{
    for (int i = 0; i < RDP_VHOST_REGIONS; i++) {
        close_fd(&state->region_fds[i]);
    }
    state->n_regions = 0;
}

/* What ends with a connection */
static void forget_connection(RdpBackEnd *be)
{
    close_regions(&be->state);
    close_fd(&be->state.err_fd);
    close_fd(&be->state.log_fd);
    close_fd(&be->state.channel_fd);
    be->running = false;
}

static bool receive(int fd, Message *msg)
{
    char control[CMSG_SPACE(sizeof(msg->fds))];
    struct iovec iov = { &msg->hdr, sizeof(msg->hdr) };
    struct msghdr hdr = {
        .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = sizeof(control),
    };

    memset(msg, 0, sizeof(*msg));
    if (recvmsg(fd, &hdr, MSG_CMSG_CLOEXEC) != sizeof(msg->hdr)) {
        return false;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&hdr); c; c = CMSG_NXTHDR(&hdr, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            msg->n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(msg->fds, CMSG_DATA(c), msg->n_fds * sizeof(int));
        }
    }
    g_assert_cmpint(msg->hdr.size, <=, offsetof(Message, fds) -
                                       offsetof(Message, u64));
    return !msg->hdr.size ||
           recv(fd, &msg->u64, msg->hdr.size, MSG_WAITALL) == msg->hdr.size;
}

static bool send_message(int fd, Message *msg)
{
    struct iovec iov[] = {
        { &msg->hdr, sizeof(msg->hdr) }, { &msg->u64, msg->hdr.size },
    };
    struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = G_N_ELEMENTS(iov) };

    return sendmsg(fd, &hdr, MSG_NOSIGNAL) ==
           sizeof(msg->hdr) + msg->hdr.size;
}

static void reply(int fd, Message *msg, uint32_t size)
{
    msg->hdr.flags = FLAG_VERSION | FLAG_REPLY;
    msg->hdr.size = size;
    /* QEMU may have gone away */
    send_message(fd, msg);
}

static void set_table(RdpVhostState *state, Message *msg)
{
    close_regions(state);
    g_assert_cmpint(msg->table.n, ==, msg->n_fds);
    state->n_regions = msg->table.n;
    for (int i = 0; i < msg->table.n; i++) {
        state->regions[i] = msg->table.regions[i];
        state->region_fds[i] = msg->fds[i];
        msg->fds[i] = -1;
    }
}

static void add_region(RdpVhostState *state, Message *msg)
{
    unsigned n = state->n_regions++;

    g_assert_cmpint(n, <, RDP_VHOST_REGIONS);
    state->regions[n] = msg->one.region;
    take_fd(msg, &state->region_fds[n]);
}

/* The last one has gone: the tests have one region at a time */
static void remove_region(RdpVhostState *state, Message *msg)
{
    g_assert_cmpint(state->n_regions, ==, 1);
    g_assert_cmphex(state->regions[0].gpa, ==, msg->one.region.gpa);
    g_assert_cmphex(state->regions[0].name, ==, msg->one.region.name);
    close_regions(state);
}

static void reply_config(RdpBackEnd *be, int fd, Message *msg)
{
    struct virtio_blk_config config = {
        .capacity = RDP_DISK_SIZE / 512, .num_queues = 1,
    };

    memcpy(msg->config.bytes, &config,
           MIN(sizeof(config), sizeof(msg->config.bytes)));
    reply(fd, msg, msg->hdr.size);
}

static uint64_t all_features(void)
{
    return BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(F_PROTOCOL_FEATURES) |
           BIT_ULL(F_LOG_ALL) | BIT_ULL(VIRTIO_F_RING_RESET) |
           BIT_ULL(VIRTIO_F_RING_PACKED);
}

static void reply_u64(int fd, Message *msg, uint64_t value)
{
    msg->u64 = value;
    reply(fd, msg, sizeof(msg->u64));
}

/* Memory for requests in flight; QEMU maps it, and gives it back */
static void reply_inflight(RdpBackEnd *be, int fd, Message *msg)
{
    const RdpVhostInflight *inflight = &be->inflight;
    int memory = memfd_create("inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char control[CMSG_SPACE(sizeof(memory))] = { };
    struct iovec iov[] = {
        { &msg->hdr, sizeof(msg->hdr) }, { &msg->u64, msg->hdr.size },
    };
    struct msghdr hdr = {
        .msg_iov = iov, .msg_iovlen = G_N_ELEMENTS(iov),
        .msg_control = control, .msg_controllen = sizeof(control),
    };
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&hdr);

    g_assert_cmpint(memory, >=, 0);
    g_assert_cmpint(ftruncate(memory, inflight->size), ==, 0);
    g_assert_cmpint(fcntl(memory, F_ADD_SEALS, inflight->seals), ==, 0);
    msg->hdr.flags = FLAG_VERSION | FLAG_REPLY;
    msg->inflight.mmap_size = inflight->claimed;
    msg->inflight.mmap_offset = inflight->offset;
    cmsg->cmsg_len = CMSG_LEN(sizeof(memory));
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(cmsg), &memory, sizeof(memory));
    sendmsg(fd, &hdr, MSG_NOSIGNAL);
    close(memory);
}

/* Returns whether the connection goes on */
static bool answer(RdpBackEnd *be, int fd, Message *msg)
{
    RdpVhostState *state = &be->state;
    bool wants_ack = msg->hdr.flags & FLAG_NEED_REPLY;

    switch (msg->hdr.request) {
    case RDP_VHOST_GET_FEATURES:
        reply_u64(fd, msg, all_features());
        return true;
    case RDP_VHOST_SET_FEATURES:
        state->features = msg->u64;
        break;
    case RDP_VHOST_GET_PROTOCOL_FEATURES:
        reply_u64(fd, msg, be->protocol_features);
        return true;
    case RDP_VHOST_GET_QUEUE_NUM:
        reply_u64(fd, msg, 1);
        return true;
    case RDP_VHOST_GET_MAX_MEM_SLOTS:
        reply_u64(fd, msg, MEM_SLOTS);
        return true;
    case RDP_VHOST_GET_CONFIG:
        reply_config(be, fd, msg);
        return true;
    case RDP_VHOST_SET_MEM_TABLE:
        set_table(state, msg);
        break;
    case RDP_VHOST_ADD_MEM_REG:
        add_region(state, msg);
        break;
    case RDP_VHOST_REM_MEM_REG:
        remove_region(state, msg);
        break;
    case RDP_VHOST_SET_LOG_BASE:
        take_fd(msg, &state->log_fd);
        state->log_size = msg->log.size;
        reply(fd, msg, 0);
        return true;
    case RDP_VHOST_SET_VRING_ADDR:
        if (msg->addr.index == 0) {
            state->addr = msg->addr;
        }
        break;
    case RDP_VHOST_SET_VRING_BASE:
        if (msg->state.index == 0) {
            state->base = msg->state.num;
        }
        break;
    case RDP_VHOST_GET_VRING_BASE:
        be->running = false;
        if (be->refuse_to_stop) {
            return false;
        }
        msg->state.num = 0;
        reply(fd, msg, sizeof(msg->state));
        return true;
    case RDP_VHOST_SET_VRING_ERR:
        take_fd(msg, &state->err_fd);
        break;
    case RDP_VHOST_GET_INFLIGHT_FD:
        reply_inflight(be, fd, msg);
        return true;
    case RDP_VHOST_SET_BACKEND_REQ_FD:
        take_fd(msg, &state->channel_fd);
        break;
    case RDP_VHOST_SET_VRING_KICK:
        if (be->refuse_to_run) {
            return false;
        }
        be->running = true;
        break;
    }
    if (wants_ack) {
        reply_u64(fd, msg, msg->hdr.request == be->refused);
    }
    return true;
}

static void stammer(int fd)
{
    const uint16_t half[3] = { 0 };

    send(fd, half, sizeof(half), MSG_NOSIGNAL);
}

static bool serve_message(RdpBackEnd *be, int fd)
{
    Message msg;
    bool go_on = receive(fd, &msg);

    if (go_on) {
        g_mutex_lock(&be->lock);
        if (be->speech == RDP_VHOST_SPEAKS) {
            go_on = answer(be, fd, &msg);
        } else if (be->speech == RDP_VHOST_STAMMERS) {
            stammer(fd);
        }
        if (msg.hdr.request < RDP_VHOST_MAX) {
            be->state.requests[msg.hdr.request]++;
        }
        g_mutex_unlock(&be->lock);
    }
    for (int i = 0; i < msg.n_fds; i++) {
        close_fd(&msg.fds[i]);
    }
    return go_on;
}

/* Returns whether the test has said so, and forgets it if it is @once */
static bool told(RdpBackEnd *be, bool *what, bool once)
{
    bool is_told;

    g_mutex_lock(&be->lock);
    is_told = *what;
    *what &= !once;
    g_mutex_unlock(&be->lock);
    return is_told;
}

static short events_to_wait_for(RdpBackEnd *be, bool connected)
{
    short events;

    g_mutex_lock(&be->lock);
    events = connected && be->speech == RDP_VHOST_DEAF ? 0 : POLLIN;
    g_mutex_unlock(&be->lock);
    return events;
}

static void *serve(void *opaque)
{
    RdpBackEnd *be = opaque;
    struct pollfd fds[] = {
        { .fd = be->wake, .events = POLLIN },
        { .fd = be->listener, .events = POLLIN },
    };
    bool connected = false;
    uint64_t count;

    while (!told(be, &be->quit, false)) {
        bool end = false;

        fds[1].events = events_to_wait_for(be, connected);
        g_assert_cmpint(poll(fds, G_N_ELEMENTS(fds), -1), >, 0);
        if (fds[0].revents) {
            g_assert_cmpint(read(be->wake, &count, sizeof(count)), ==,
                            sizeof(count));
            end = told(be, &be->hang_up, true) && connected;
        } else if (!connected) {
            fds[1].fd = accept(be->listener, NULL, NULL);
            g_assert_cmpint(fds[1].fd, >=, 0);
            connected = true;
            g_mutex_lock(&be->lock);
            be->state.connections++;
            g_mutex_unlock(&be->lock);
        } else {
            end = !serve_message(be, fds[1].fd);
        }
        if (end) {
            close(fds[1].fd);
            fds[1].fd = be->listener;
            connected = false;
            g_mutex_lock(&be->lock);
            forget_connection(be);
            g_mutex_unlock(&be->lock);
        }
    }
    return NULL;
}

RdpBackEnd *rdp_back_end_new(uint64_t protocol_features)
{
    RdpBackEnd *be = g_new0(RdpBackEnd, 1);
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    be->dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);
    g_assert_nonnull(be->dir);
    be->path = g_build_filename(be->dir, "socket", NULL);
    be->protocol_features = protocol_features;
    be->state.err_fd = be->state.log_fd = be->state.channel_fd = -1;
    for (int i = 0; i < RDP_VHOST_REGIONS; i++) {
        be->state.region_fds[i] = -1;
    }
    g_mutex_init(&be->lock);
    be->wake = eventfd(0, EFD_CLOEXEC);
    g_assert_cmpint(be->wake, >=, 0);
    be->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(be->listener, >=, 0);
    g_assert_cmpint(strlen(be->path), <, sizeof(addr.sun_path));
    strcpy(addr.sun_path, be->path);
    g_assert_cmpint(bind(be->listener, (struct sockaddr *)&addr, sizeof(addr)),
                    ==, 0);
    g_assert_cmpint(listen(be->listener, 4), ==, 0);
    be->thread = g_thread_new("back-end", serve, be);
    return be;
}

static void wake(RdpBackEnd *be, bool *flag)
{
    uint64_t one = 1;

    g_mutex_lock(&be->lock);
    *flag = true;
    g_mutex_unlock(&be->lock);
    g_assert_cmpint(write(be->wake, &one, sizeof(one)), ==, sizeof(one));
}

void rdp_back_end_free(RdpBackEnd *be)
{
    wake(be, &be->quit);
    g_thread_join(be->thread);
    close(be->listener);
    close(be->wake);
    g_mutex_clear(&be->lock);
    unlink(be->path);
    g_assert_cmpint(rmdir(be->dir), ==, 0);
    g_free(be->path);
    g_free(be->dir);
    g_free(be);
}

char *rdp_back_end_chardev_once(RdpBackEnd *be, const char *id)
{
    return g_strdup_printf("-chardev socket,id=%s,path=%s ", id, be->path);
}

char *rdp_back_end_chardev(RdpBackEnd *be, const char *id)
{
    return g_strdup_printf("-chardev socket,id=%s,path=%s,reconnect-ms=10 ",
                           id, be->path);
}

RdpVhostState rdp_back_end_state(RdpBackEnd *be)
{
    RdpVhostState state;

    g_mutex_lock(&be->lock);
    state = be->state;
    g_mutex_unlock(&be->lock);
    return state;
}

unsigned rdp_back_end_requests(RdpBackEnd *be, RdpVhostRequest request)
{
    return rdp_back_end_state(be).requests[request];
}

void rdp_back_end_wait(RdpBackEnd *be, RdpVhostRequest request,
                       unsigned before)
{
    RDP_WAIT_FOR(rdp_back_end_requests(be, request) > before);
}

void rdp_back_end_hang_up(RdpBackEnd *be)
{
    wake(be, &be->hang_up);
}

void rdp_back_end_refuse_to_run(RdpBackEnd *be, bool refuse)
{
    g_mutex_lock(&be->lock);
    be->refuse_to_run = refuse;
    g_mutex_unlock(&be->lock);
}

void rdp_back_end_refuse_to_stop(RdpBackEnd *be, bool refuse)
{
    g_mutex_lock(&be->lock);
    be->refuse_to_stop = refuse;
    g_mutex_unlock(&be->lock);
}

void rdp_back_end_speak(RdpBackEnd *be, RdpVhostSpeech speech)
{
    uint64_t one = 1;

    g_mutex_lock(&be->lock);
    be->speech = speech;
    g_mutex_unlock(&be->lock);
    g_assert_cmpint(write(be->wake, &one, sizeof(one)), ==, sizeof(one));
}

void rdp_back_end_set_inflight(RdpBackEnd *be, RdpVhostInflight inflight)
{
    g_mutex_lock(&be->lock);
    be->inflight = inflight;
    g_mutex_unlock(&be->lock);
}

void rdp_back_end_refuse(RdpBackEnd *be, RdpVhostRequest request)
{
    g_mutex_lock(&be->lock);
    be->refused = request;
    g_mutex_unlock(&be->lock);
}

void rdp_back_end_report_error(RdpBackEnd *be)
{
    uint64_t one = 1;
    int fd = rdp_back_end_state(be).err_fd;

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
}

static int ask(RdpBackEnd *be, Message *msg)
{
    int fd = rdp_back_end_state(be).channel_fd;

    g_assert_cmpint(fd, >=, 0);
    g_assert_true(send_message(fd, msg));
    return receive(fd, msg) ? !!msg->u64 : -1;
}

int rdp_back_end_ask_iotlb(RdpBackEnd *be, uint64_t addr)
{
    Message msg = {
        .hdr = { BACKEND_IOTLB_MSG, FLAG_VERSION | FLAG_NEED_REPLY,
                 sizeof(msg.iotlb) },
        .iotlb = { .iova = addr, .size = 1, .perm = 1, .type = IOTLB_MISS },
    };

    return ask(be, &msg);
}

int rdp_back_end_ask(RdpBackEnd *be, uint32_t request, uint32_t size)
{
    Message msg = { .hdr = { request, FLAG_VERSION | FLAG_NEED_REPLY, size } };

    return ask(be, &msg);
}

void rdp_back_end_ask_half(RdpBackEnd *be)
{
    stammer(rdp_back_end_state(be).channel_fd);
}

unsigned rdp_back_end_ask_often(RdpBackEnd *be, uint32_t request,
                                unsigned times)
{
    int fd = rdp_back_end_state(be).channel_fd;

    for (unsigned i = 0; i < times; i++) {
        Message msg = { .hdr = { request, FLAG_VERSION | FLAG_NEED_REPLY } };

        if (!send_message(fd, &msg)) {
            return i;
        }
    }
    return times;
}

static uint8_t *map_file(int fd, size_t size, off_t offset)
{
    uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                        offset);

    g_assert(map != MAP_FAILED);
    return map;
}

static void mark_dirty(const RdpVhostState *state, uint64_t gpa)
{
    uint64_t page = gpa / VHOST_LOG_PAGE;
    uint8_t *log = map_file(state->log_fd, state->log_size, 0);

    g_assert_cmphex(page / 8, <, state->log_size);
    qatomic_or(&log[page / 8], 1 << page % 8);
    munmap(log, state->log_size);
}

static void write_byte(const RdpVhostState *state, uint64_t gpa, uint8_t byte)
{
    for (int i = 0; i < state->n_regions; i++) {
        const RdpVhostRegion *region = &state->regions[i];

        if (gpa >= region->gpa && gpa - region->gpa < region->size) {
            uint8_t *map = map_file(state->region_fds[i], region->size,
                                    region->offset);

            map[gpa - region->gpa] = byte;
            munmap(map, region->size);
            return;
        }
    }
    g_error("the back end has no memory at 0x%" PRIx64, gpa);
}

bool rdp_back_end_write(RdpBackEnd *be, uint64_t gpa, uint8_t byte)
{
    bool running;

    g_mutex_lock(&be->lock);
    running = be->running;
    if (running) {
        write_byte(&be->state, gpa, byte);
        if (be->state.features & BIT_ULL(F_LOG_ALL)) {
            mark_dirty(&be->state, gpa);
        }
    }
    g_mutex_unlock(&be->lock);
    return running;
}

uint8_t *rdp_back_end_map(RdpBackEnd *be, size_t *size)
{
    RdpVhostState state = rdp_back_end_state(be);

    g_assert_cmpint(state.n_regions, ==, 1);
    *size = state.regions[0].size;
    return map_file(state.region_fds[0], *size, state.regions[0].offset);
}
