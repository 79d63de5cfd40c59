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
#define PHASES_MAX   16

struct phase {
    const char *text;
    struct {
        const struct floor_step *step;
        char *arg;
        atomic_llong ns;
    } steps[STEPS_MAX];
    size_t len;
    struct floor_run *run;
    atomic_size_t next; /* subject whose turn it is */
    atomic_bool failed;
};

/* What is asked for, and what came of it. */
struct floor_run {
    struct floor_rack rack;
    struct floor_subject subjects[SUBJECTS_MAX];
    size_t count, at_once;
    const char *images[IMAGES_MAX];
    size_t image_count;
    struct phase phases[PHASES_MAX];
    size_t phase_count;
    bool print_steps;
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
    if (step->run(&p->run->rack, s, p->steps[i].arg, &err) < 0) {
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

    while ((n = atomic_fetch_add(&p->next, 1)) < p->run->count)
        for (size_t i = 0; i < p->len; i++)
            if (stopped || p->failed || !take_step(p, i, &p->run->subjects[n]))
                return NULL;
    return NULL;
}

static void run_threads(struct phase *p)
{
    pthread_t threads[SUBJECTS_MAX];
    size_t made = 0;

    while (made < p->run->at_once && made < p->run->count &&
           pthread_create(&threads[made], NULL, work, p) == 0)
        made++;
    if (made == 0)
        work(p);
    for (size_t i = 0; i < made; i++)
        pthread_join(threads[i], NULL);
}

static void print_means(const struct phase *p)
{
    for (size_t i = 0; i < p->len; i++) {
        size_t times = p->steps[i].step->once ? 1 : p->run->count;

        printf("  %s=%.1f", p->steps[i].step->name,
               (double)p->steps[i].ns / 1e6 / (double)times);
    }
}

static bool run_phase(struct phase *p)
{
    int64_t begin = now_ns();

    run_threads(p);
    if (p->failed || stopped)
        return false;
    printf("%s %.1f", p->text, (double)(now_ns() - begin) / 1e6);
    if (p->run->print_steps)
        print_means(p);
    printf("\n");
    return true;
}

/* ---- the run --------------------------------------------------------------
 */

/* After a failure: what is there goes, and nobody asks how fast. */
static void tidy(struct floor_run *r)
{
    const struct floor_step *remove = floor_step_find("remove", 6);
    const struct floor_step *forget = floor_step_find("no-network", 10);
    struct err err;

    for (size_t i = 0; i < r->count; i++)
        if (r->subjects[i].id != NULL)
            remove->run(&r->rack, &r->subjects[i], NULL, &err);
    for (size_t i = 0; i < r->phase_count; i++)
        for (size_t j = 0; j < r->phases[i].len; j++)
            if (strcmp(r->phases[i].steps[j].step->name, "network") == 0)
                forget->run(&r->rack, NULL, r->phases[i].steps[j].arg, &err);
}

static int run(struct floor_run *r)
{
    bool good = true;

    for (size_t i = 0; i < r->count; i++)
        r->subjects[i] = (struct floor_subject){
            .index = i, .image = r->images[i % r->image_count], .output = -1
        };
    for (size_t i = 0; good && i < r->phase_count; i++)
        good = run_phase(&r->phases[i]);
    tidy(r);
    return good ? 0 : 1;
}

/* ---- the command line -----------------------------------------------------
 */

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

static size_t count_option(const char *text, long max)
{
    long n;

    if (!str_to_long(text, 1, max, &n)) {
        fprintf(stderr, "floor: not 1 to %ld: %s\n", max, text);
        exit(64);
    }
    return (size_t)n;
}

static void read_option(int c, struct floor_run *r)
{
    switch (c) {
    case 'n':
        r->count = count_option(optarg, SUBJECTS_MAX);
        break;
    case 'j':
        r->at_once = count_option(optarg, SUBJECTS_MAX);
        break;
    case 'c':
        r->rack.container = json_option(optarg);
        break;
    case 'e':
        r->rack.endpoint = json_option(optarg);
        break;
    case 'w':
        r->rack.network = json_option(optarg);
        break;
    case 'm':
        r->rack.joined = optarg;
        break;
    case 'a':
        r->rack.prefix = optarg;
        break;
    case 's':
        r->print_steps = true;
        break;
    case 'i':
        if (r->image_count < IMAGES_MAX)
            r->images[r->image_count++] = optarg;
        break;
    default:
        exit(usage());
    }
}

/* "connect=pool" */
static void read_step(struct phase *p, const char *text, size_t len)
{
    size_t name = strcspn(text, ",=");
    const struct floor_step *step = floor_step_find(text, name);

    if (step == NULL || p->len == STEPS_MAX) {
        fprintf(stderr, "floor: %s: %.*s\n",
                step == NULL ? "no such step" : "too many steps", (int)name,
                text);
        exit(64);
    }
    if (len > name)
        p->steps[p->len].arg = str_dup_len(text + name + 1, len - name - 1);
    p->steps[p->len++].step = step;
}

static void read_phase(struct floor_run *r, const char *text)
{
    struct phase *p = &r->phases[r->phase_count++];
    size_t len;

    p->text = text;
    p->run = r;
    for (; *text != '\0'; text += len + (text[len] == ',')) {
        len = strcspn(text, ",");
        read_step(p, text, len);
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

/* What it has of memory it has until its end. */
int main(int argc, char **argv)
{
    struct floor_run *r = xcalloc(1, sizeof(*r));
    struct sigaction action = { .sa_handler = on_signal };
    int c;

    r->count = 6;
    r->at_once = SUBJECTS_MAX;
    r->rack.socket = engine_socket();
    r->rack.name = xasprintf("floor-%d", (int)getpid());
    while ((c = getopt(argc, argv, "n:i:j:c:e:w:m:a:s")) != -1)
        read_option(c, r);
    if (optind == argc || argc - optind > PHASES_MAX)
        return usage();
    for (int i = optind; i < argc; i++)
        read_phase(r, argv[i]);
    if (r->image_count == 0)
        r->images[r->image_count++] = "cvx/base:trixie";
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return run(r);
}
