/*
 * cvx-reaper -- removes what a dead rack left on its engine.
 *
 *   cvx-reaper [--self NAME] [--grace MS] [--patience MS] SOCKET KEY=VALUE...
 *   cvx-reaper --pause
 *
 * It waits until the rack that holds its stdin (lease.h) dies. Then it removes
 * every container, network and volume that carries all of the labels, again and
 * again until nothing more turns up, since the engine may still be creating
 * what the rack asked for last. Nothing else is ever touched.
 *
 * With --self it runs in the container of that name, where the engine's socket
 * is mounted, and removes itself last. When the engine restarts it starts the
 * container again (policy on-failure). Then no rack holds its stdin, and it
 * waits for the grace that the rack comes back. A rack on another machine holds
 * it through a network connection, which may break while the rack lives:
 * --patience is the time for the rack to put another reaper in this one's
 * place. The labels are arguments because a reaper that was started again has
 * not read its stdin.
 *
 * Without --self it is a process on the rack's machine, outside of the rack's
 * process group and session. It guards the rack until the container is up, and
 * for good where the engine's socket cannot be mounted.
 *
 * With --pause it does nothing at all: its container only has a network
 * namespace that other containers share.
 */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "images/reaper/clock.h"
#include "images/reaper/http.h"
#include "images/reaper/lease.h"
#include "images/reaper/objects.h"

/* How often the engine is asked while it does not answer. */
#define AGAIN_MS 50

/* What is busy is tried as often for this long, and then seldom. */
#define BUSY_FAST_MS 5000
#define BUSY_SLOW_MS 2000

/* How late something may turn up that the rack asked for last. The container
 * shows in the user's lists, so it leaves early; the process may look longer.
 */
#define SETTLE_CONTAINER_MS 600
#define SETTLE_PROCESS_MS   15000

/* What cannot be removed in this time is left for the next rack's sweep. */
#define GIVE_UP_MS 600000

/* Exit status of a reaper that the engine is to start again (EX_TEMPFAIL). */
#define STATUS_AGAIN 75

struct reaper {
    const char *socket, *self;
    long grace_ms, patience_ms;
    char **labels;
    size_t label_count;
    struct lease lease;
};

static void sleep_ms(int64_t ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&t, NULL);
}

static void say(const char *text, const char *more)
{
    dprintf(STDERR_FILENO, "reaper: %s%s%s\n", text, *more == '\0' ? "" : ": ",
            more);
}

/* ---- the lease ---------------------------------------------------------- */

/* The HTTP status of a question about our own container; 0: no answer. */
static int ask_about_self(const struct reaper *r, int timeout_ms)
{
    cleanup_free char *path = xasprintf("/containers/%s/json", r->self);
    struct http_call call = { .method = "GET", .path = path };
    int status;

    http_run(r->socket, &call, 1, timeout_ms);
    status = call.status;
    if (status == 0)
        say("the engine does not answer", call.why);
    http_release(&call);
    return status;
}

/* A lease is accepted only when we could act on its end: the engine behind our
 * socket must know the container that we are. */
static bool answer_lease(struct reaper *r)
{
    const char *why = "";
    int status = 200;

    if (strcmp(lease_text(&r->lease), r->labels[0]) != 0)
        why = "this is another rack's reaper";
    else if (r->self != NULL)
        status = ask_about_self(r, 10000);
    if (status == 0)
        why = "the engine's socket cannot be used from a container";
    else if (status != 200)
        why = "the socket leads to another engine";
    lease_answer(why);
    return *why == '\0';
}

/* After a restart of the engine no rack may ever come. The grace begins when
 * the engine answers, because no rack can come before. */
static enum lease_event wait_for_rack(struct reaper *r)
{
    int64_t answered = 0;

    for (;;) {
        enum lease_event event = lease_next(&r->lease, AGAIN_MS);

        if (event != LEASE_NOTHING)
            return event;
        if (answered == 0 && ask_about_self(r, 1000) > 0)
            answered = clock_ms();
        if (answered > 0 && clock_ms() - answered >= r->grace_ms)
            return LEASE_GONE;
    }
}

/* Waits until the rack is dead; LEASE_DONE when it ended tidily. */
static enum lease_event watch(struct reaper *r)
{
    enum lease_event event =
        r->self == NULL ? lease_next(&r->lease, -1) : wait_for_rack(r);

    while (event == LEASE_HELD) {
        answer_lease(r);
        event = lease_next(&r->lease, -1);
    }
    return event;
}

/* ---- removal ------------------------------------------------------------ */

static bool is_container(const struct object *o)
{
    return o->kind == OBJECT_CONTAINER && !o->is_reaper;
}

static bool is_no_container(const struct object *o)
{
    return o->kind != OBJECT_CONTAINER;
}

static bool is_reaper(const struct object *o)
{
    return o->is_reaper;
}

static size_t count_of(const struct objects *all,
                       bool (*want)(const struct object *))
{
    size_t n = 0;

    for (size_t i = 0; i < all->len; i++)
        n += want(&all->v[i]);
    return n;
}

/* Containers first, because they use the networks and volumes. The process also
 * removes a reaper's container: that may never have been started. */
static size_t remove_all(const struct reaper *r, const struct objects *all)
{
    size_t failed = objects_remove(all, r->socket, is_container);

    failed += objects_remove(all, r->socket, is_no_container);
    if (r->self == NULL)
        failed += objects_remove(all, r->socket, is_reaper);
    return failed;
}

static bool is_clean(const struct reaper *r, const struct objects *all)
{
    return count_of(all, is_container) + count_of(all, is_no_container) == 0 &&
           (r->self != NULL || count_of(all, is_reaper) == 0);
}

/* Most things are busy only for a moment. An engine that has lost count of what
 * is on a network says "busy" until it is restarted. */
static int64_t busy_pause(int64_t begun)
{
    return clock_ms() - begun < BUSY_FAST_MS ? AGAIN_MS : BUSY_SLOW_MS;
}

/* Looks once and removes what is there. -1: the engine does not answer; 1:
 * there was nothing; 0: there was something. */
static int look(const struct reaper *r, int64_t begun)
{
    struct objects all = { 0 };
    const char *why;
    int clean = -1;

    if (objects_list(&all, r->socket, r->labels, r->label_count, &why) == 0) {
        clean = is_clean(r, &all);
        if (!clean && remove_all(r, &all) > 0)
            sleep_ms(busy_pause(begun));
    }
    objects_release(&all);
    return clean;
}

/* When the engine stopped together with its rack, both may come back together:
 * the rack gets the grace after the engine. */
static void wait_for_engine(const struct reaper *r)
{
    int64_t begun = clock_ms();

    if (ask_about_self(r, 1000) > 0)
        return;
    while (ask_about_self(r, 1000) == 0 && clock_ms() - begun < GIVE_UP_MS)
        sleep_ms(AGAIN_MS);
    sleep_ms(r->grace_ms);
}

/* Removes until nothing turns up any more; false when time is up before. */
static bool reap(const struct reaper *r)
{
    int64_t begun = clock_ms(), settle, pause = AGAIN_MS;

    settle = r->self != NULL ? SETTLE_CONTAINER_MS : SETTLE_PROCESS_MS;
    while (clock_ms() - begun < GIVE_UP_MS) {
        int clean = look(r, begun);

        if (clean > 0 && clock_ms() - begun >= settle)
            return true;
        if (clean > 0 && r->self == NULL)
            pause = pause * 3 / 2 < 2000 ? pause * 3 / 2 : 2000;
        if (clean != 0)
            sleep_ms(clean > 0 ? pause : AGAIN_MS);
    }
    return false;
}

/* Removes every reaper of the rack: it may have begun to make another one. Ours
 * is among them, so the engine kills us during one of these requests. */
static void remove_self(const struct reaper *r)
{
    struct objects all = { 0 };
    const char *why;

    for (int i = 0; i < 100; i++) {
        objects_list(&all, r->socket, r->labels, r->label_count, &why);
        objects_remove(&all, r->socket, is_reaper);
        objects_release(&all);
        sleep_ms(AGAIN_MS);
    }
}

/* ---- the program -------------------------------------------------------- */

/* The engine stops, or somebody stops us by hand. */
static void on_terminate(int number)
{
    (void)number;
    _exit(STATUS_AGAIN);
}

/* The kernel gives process 1 of a container no default action for signals. */
static void become_container(void)
{
    signal(SIGTERM, on_terminate);
    signal(SIGINT, on_terminate);
}

/* What ends the rack (a signal to its group, its session or its terminal) must
 * not end this process too; and no connection of the rack's may stay open in
 * here. False in the parent, which has nothing left to do. */
static bool become_process(void)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

    close_range(STDERR_FILENO + 1, ~0U, 0);
    /* Before the fork: until setsid() the child is in the rack's group. */
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        signal(numbers[i], SIG_IGN);
    if (fork() != 0)
        return false;
    setsid();
    return chdir("/") == 0;
}

static bool parse(struct reaper *r, int argc, char **argv)
{
    static const struct option longs[] = {
        { "self", required_argument, NULL, 's' },
        { "grace", required_argument, NULL, 'g' },
        { "patience", required_argument, NULL, 'p' },
        { 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "+", longs, NULL)) >= 0) {
        if (c == 's')
            r->self = optarg;
        else if ((c != 'g' && c != 'p') ||
                 !str_to_long(optarg, 0, 600000,
                              c == 'g' ? &r->grace_ms : &r->patience_ms))
            return false;
    }
    if (argc - optind < 2)
        return false;
    r->socket = argv[optind];
    r->labels = argv + optind + 1;
    r->label_count = (size_t)(argc - optind - 1);
    for (size_t i = 0; i < r->label_count; i++)
        if (strchr(r->labels[i], '=') == NULL)
            return false;
    return true;
}

static int run(struct reaper *r)
{
    bool clean;

    if (watch(r) == LEASE_DONE)
        return 0;
    if (r->self != NULL)
        wait_for_engine(r);
    sleep_ms(r->patience_ms);
    say("the rack is gone; removing what it left", r->labels[0]);
    clean = reap(r);
    say(clean ? "nothing is left" : "something is left", r->labels[0]);
    if (r->self != NULL)
        remove_self(r);
    return clean ? 0 : 1;
}

static void on_released(int number)
{
    (void)number;
    _exit(0);
}

static _Noreturn void pause_for_ever(void)
{
    signal(SIGTERM, on_released);
    signal(SIGINT, on_released);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    static const struct rlimit none = { 0, 0 };
    struct reaper r = { .grace_ms = 1000 };
    int status;

    if (argc == 2 && strcmp(argv[1], "--pause") == 0)
        pause_for_ever();
    if (!parse(&r, argc, argv)) {
        dprintf(STDERR_FILENO, "usage: cvx-reaper [--self NAME] [--grace MS] "
                               "[--patience MS] SOCKET KEY=VALUE...\n");
        return 64;
    }
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_NAME, "cvx-reaper"); /* the file it runs from has no name */
    signal(SIGPIPE, SIG_IGN);
    if (r.self != NULL)
        become_container();
    else if (!become_process())
        return 0;
    status = run(&r);
    lease_release(&r.lease);
    return status;
}
