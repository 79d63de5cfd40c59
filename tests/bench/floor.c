/*
 * floor -- how fast the engine can be at all: the calls of a start and of a
 * teardown, made raw and side by side, and nothing else.
 *
 *     floor -n 6 network create,attach,start remove no-network
 *
 *   -n COUNT   containers
 *   -i IMAGE   of them; given several times, they take turns
 *   -j COUNT   so many at a time (default: all)
 *   -c JSON    laid over the body of a create     -e JSON  over its endpoint
 *   -w JSON    laid over the body of a network
 *   -m NAME    network to be created on: none, bridge, or one made by
 *              network=NAME (default: ours)
 *   -a PREFIX  static addresses: -a 10.99.7
 *   -s         also each step's mean
 *
 * A PHASE is a list of steps. Every container takes them in turn, all
 * containers side by side; a phase begins when the one before has ended. Each
 * prints a line, "create,attach,start 412.7": the milliseconds until all were
 * through. Nothing is left behind, whatever happens.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/bench/floor_calls.h"

#define SUBJECTS_MAX 200
#define STEPS_MAX    16
#define IMAGES_MAX   16

struct phase {
    struct floor_rack *rack;
    struct floor_subject *subjects;
    size_t count, len;
    struct {
        const struct floor_step *step;
        char *arg;
        atomic_llong ns;
    } steps[STEPS_MAX];
    atomic_size_t next; /* subject whose turn it is */
    atomic_bool failed;
};

struct options {
    size_t count, at_once, image_count;
    const char *images[IMAGES_MAX];
    bool steps;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* ---- a phase --------------------------------------------------------------
 */

static bool take_step(struct phase *p, size_t i, struct floor_subject *s)
{
    const struct floor_step *step = p->steps[i].step;
    struct err err = { 0 };
    int64_t begin = now_ns();

    if (step->once && s->index > 0)
        return true;
    if (step->run(p->rack, s, p->steps[i].arg, &err) < 0) {
        if (!atomic_exchange(&p->failed, true))
            fprintf(stderr, "floor: %s: %s\n", step->name, err.msg);
        return false;
    }
    atomic_fetch_add(&p->steps[i].ns, now_ns() - begin);
    return true;
}

static void *work(void *arg)
{
    struct phase *p = arg;
    size_t n;

    while ((n = atomic_fetch_add(&p->next, 1)) < p->count)
        for (size_t i = 0; i < p->len; i++)
            if (stopped || p->failed || !take_step(p, i, &p->subjects[n]))
                return NULL;
    return NULL;
}

static void run_threads(struct phase *p, size_t at_once)
{
    pthread_t threads[SUBJECTS_MAX];
    size_t made = 0;

    while (made < at_once && made < p->count &&
           pthread_create(&threads[made], NULL, work, p) == 0)
        made++;
    if (made == 0)
        work(p);
    for (size_t i = 0; i < made; i++)
        pthread_join(threads[i], NULL);
}

/* "connect=pool,unpause": 0, or -1 and said what is wrong. */
static int parse(struct phase *p, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ",="), rest = strcspn(text, ",");
        const struct floor_step *step = floor_step_find(text, len);

        if (step == NULL || p->len == STEPS_MAX) {
            fprintf(stderr, "floor: unknown step, or too many: %s\n", text);
            return -1;
        }
        if (rest > len)
            p->steps[p->len].arg = str_dup_len(text + len + 1, rest - len - 1);
        p->steps[p->len++].step = step;
        text += rest + (text[rest] == ',');
    }
    return 0;
}

static void print_means(const struct phase *p)
{
    for (size_t i = 0; i < p->len; i++) {
        size_t times = p->steps[i].step->once ? 1 : p->count;

        printf("  %s=%.1f", p->steps[i].step->name,
               (double)p->steps[i].ns / 1e6 / (double)times);
    }
}

static int run_phase(struct phase *p, const char *text,
                     const struct options *options)
{
    int64_t begin = now_ns();

    if (parse(p, text) < 0)
        return -1;
    run_threads(p, options->at_once);
    if (p->failed || stopped)
        return -1;
    printf("%s %.1f", text, (double)(now_ns() - begin) / 1e6);
    if (options->steps)
        print_means(p);
    printf("\n");
    return 0;
}

static void phase_release(struct phase *p)
{
    for (size_t i = 0; i < p->len; i++)
        free(p->steps[i].arg);
}

/* ---- the run --------------------------------------------------------------
 */

/* After a failure: what is there goes, and nobody asks how fast. */
static void tidy(struct floor_rack *rack, struct floor_subject *subjects,
                 size_t count, char **phases)
{
    const struct floor_step *remove = floor_step_find("remove", 6);
    const struct floor_step *forget = floor_step_find("no-network", 10);
    struct err err;

    for (size_t i = 0; i < count; i++)
        if (subjects[i].id != NULL)
            remove->run(rack, &subjects[i], NULL, &err);
    for (; *phases != NULL; phases++) {
        struct phase p = { 0 };

        parse(&p, *phases);
        for (size_t i = 0; i < p.len; i++)
            if (strcmp(p.steps[i].step->name, "network") == 0)
                forget->run(rack, NULL, p.steps[i].arg, &err);
        phase_release(&p);
    }
}

static int run(struct floor_rack *rack, const struct options *o, char **phases)
{
    struct floor_subject subjects[SUBJECTS_MAX] = { 0 };
    int rc = 0;

    for (size_t i = 0; i < o->count; i++)
        subjects[i] = (struct floor_subject){
            .index = i, .image = o->images[i % o->image_count], .output = -1
        };
    for (char **text = phases; rc == 0 && *text != NULL; text++) {
        struct phase p = { .rack = rack,
                           .subjects = subjects,
                           .count = o->count };

        rc = run_phase(&p, *text, o);
        phase_release(&p);
    }
    tidy(rack, subjects, o->count, phases);
    return rc == 0 ? 0 : 1;
}

static int usage(void)
{
    char names[300];

    floor_step_names(names, sizeof(names));
    fprintf(stderr,
            "usage: floor [-n COUNT] [-i IMAGE]... [-j COUNT] [-c JSON] "
            "[-e JSON] [-w JSON]\n"
            "             [-m NETWORK] [-a PREFIX] [-s] PHASE...\n"
            "steps of a phase, with commas: %s\n",
            names);
    return 64;
}

static const cJSON *json_option(const char *text)
{
    const cJSON *json = cJSON_Parse(text);

    if (!cJSON_IsObject(json)) {
        fprintf(stderr, "floor: no JSON object: %s\n", text);
        exit(64);
    }
    return json;
}

static size_t count_option(const char *text)
{
    long n;

    if (!str_to_long(text, 1, SUBJECTS_MAX, &n)) {
        fprintf(stderr, "floor: not 1 to %d: %s\n", SUBJECTS_MAX, text);
        exit(64);
    }
    return (size_t)n;
}

static bool read_option(int c, struct options *o, struct floor_rack *r)
{
    switch (c) {
    case 'n': o->count = count_option(optarg); return true;
    case 'j': o->at_once = count_option(optarg); return true;
    case 'c': r->container = json_option(optarg); return true;
    case 'e': r->endpoint = json_option(optarg); return true;
    case 'w': r->network = json_option(optarg); return true;
    case 'm': r->joined = optarg; return true;
    case 'a': r->prefix = optarg; return true;
    case 's': o->steps = true; return true;
    case 'i':
        if (o->image_count == IMAGES_MAX)
            return false;
        o->images[o->image_count++] = optarg;
        return true;
    default: return false;
    }
}

/* Only a socket: a floor over TLS would be another one. */
static const char *engine_socket(void)
{
    const char *host = getenv("DOCKER_HOST");

    if (host != NULL && str_starts(host, "unix://"))
        return host + strlen("unix://");
    return "/var/run/docker.sock";
}

int main(int argc, char **argv)
{
    struct options o = { .count = 6, .at_once = SUBJECTS_MAX };
    struct floor_rack rack = { .socket = engine_socket() };
    struct sigaction action = { .sa_handler = on_signal };
    int c, status;

    while ((c = getopt(argc, argv, "n:i:j:c:e:w:m:a:s")) != -1)
        if (!read_option(c, &o, &rack))
            return usage();
    if (optind == argc)
        return usage();
    if (o.image_count == 0)
        o.images[o.image_count++] = "cvx/base:trixie";
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    rack.name = xasprintf("floor-%d", (int)getpid());
    status = run(&rack, &o, argv + optind);
    free(rack.name);
    return status;
}
