#include "support/session_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "engine/engine.h"

static void on_event(const struct session_event *e, void *user)
{
    struct fix *f = user;

    switch (e->type) {
    case SESSION_EVENT_STATE:
        str_printf(&f->events, "%s %s %s%s%s\n", e->kind, e->name, e->state,
                   e->exited ? ": " : "", e->exited ? e->text : "");
        break;
    case SESSION_EVENT_WARNING:
        str_printf(&f->events, "warning %s\n", e->text);
        break;
    case SESSION_EVENT_ERROR:
        str_printf(&f->events, "error %s | %s | %s\n", e->text,
                   e->why == NULL ? "-" : e->why,
                   e->todo == NULL ? "-" : e->todo);
        break;
    case SESSION_EVENT_READY:
        f->ready = true;
        break;
    case SESSION_EVENT_REMOVED:
        str_printf(&f->events, "removed %u %u %u\n", e->containers, e->networks,
                   e->volumes);
        break;
    case SESSION_EVENT_PROGRESS:
        str_printf(&f->events, "%s %s %u/%u layers %lld/%lld bytes\n", e->kind,
                   e->name, e->layers_done, e->layers, e->current, e->total);
        break;
    case SESSION_EVENT_TEMPLATE:
        str_printf(&f->events, "template of %s %s\n", e->name, e->state);
        break;
    case SESSION_EVENT_STOPPING:
        break;
    }
}

static void on_gone(int status, void *user)
{
    struct fix *f = user;

    f->gone = true;
    f->status = status;
}

static void on_closed(void *user)
{
    ((struct fix *)user)->closed = true;
}

/* ---- the engine's script ------------------------------------------------- */

void answer(struct fix *f, const char *method, const char *path, int status,
            const char *body)
{
    fake_engine_on(f->fake, method, path,
                   &(struct fake_answer){ .status = status, .body = body });
}

void answer_never(struct fix *f, const char *method, const char *path)
{
    fake_engine_on(f->fake, method, path,
                   &(struct fake_answer){ .how = FAKE_ENGINE_SILENT });
}

void answer_once(struct fix *f, const char *method, const char *path,
                 int status, const char *body)
{
    fake_engine_on(
        f->fake, method, path,
        &(struct fake_answer){ .status = status, .body = body, .times = 1 });
}

void answer_late(struct fix *f, const char *method, const char *path,
                 int status, const char *body, unsigned ms)
{
    fake_engine_on(f->fake, method, path,
                   &(struct fake_answer){
                       .status = status, .body = body, .delay_ms = ms });
}

static void answer_open(struct fix *f, const char *method, const char *path)
{
    fake_engine_on(f->fake, method, path,
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN });
}

void script_container(struct fix *f, const char *id)
{
    cleanup_free char *base = xasprintf("/containers/%s", id);
    cleanup_free char *attach = xasprintf("%s/attach", base);
    cleanup_free char *start = xasprintf("%s/start", base);
    cleanup_free char *halt = xasprintf("%s/stop", base);

    answer_open(f, "POST", attach);
    answer(f, "POST", start, 204, NULL);
    answer(f, "POST", halt, 204, NULL);
    answer(f, "DELETE", base, 204, NULL);
}

void next_is(struct fix *f, const char *path, const char *id)
{
    cleanup_free char *body = xasprintf("{\"Id\":\"%s\"}", id);

    answer(f, "POST", path, 201, body);
    script_container(f, id);
}

void session_fix_script(struct fix *f)
{
    answer_open(f, "GET", "/events?filters=%7B%22label");
    answer_open(f, "GET", "/events?filters=%7B%22network");
    answer(f, "GET", "/_ping", 200, "OK");
    answer(f, "POST", "/networks/create", 201, "{\"Id\":\"net1\"}");
    answer(f, "DELETE", "/networks/net1", 204, NULL);
    answer(f, "GET", "/containers/json", 200, "[]");
    answer(f, "POST", CREATE_DB, 201, "{\"Id\":\"db1\"}");
    answer(f, "POST", CREATE_WEB, 201, "{\"Id\":\"web1\"}");
    script_container(f, "db1");
    script_container(f, "web1");
}

static void make_plan(struct fix *f)
{
    struct plan_resource *db;
    struct plan_service *web;

    f->plan.app = TEXT("app");
    /* Room for more without moving these. */
    f->plan.services.cap = f->plan.resources.cap = 8;
    f->plan.services.v = xcalloc(8, sizeof(*f->plan.services.v));
    f->plan.resources.v = xcalloc(8, sizeof(*f->plan.resources.v));
    db = vec_add(&f->plan.resources);
    web = vec_add(&f->plan.services);
    f->db = db;
    f->web = web;
    *db = (struct plan_resource){ .name = TEXT("db"),
                                  .type = TEXT("postgres"),
                                  .kind = TEXT("postgres"),
                                  .has_container = true,
                                  .standin = TEXT("postgres"),
                                  .volume = -1,
                                  .container = { .image = TEXT("postgres:17"),
                                                 .build = -1 } };
    *web = (struct plan_service){
        .name = TEXT("web"),
        .count = 1,
        .container = { .image = TEXT("web:1"), .build = -1, .stop_grace_s = 30 }
    };
    *(int *)vec_add(&web->resources) = 0;
}

int session_fix_setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    struct err err = { 0 };

    loop_fix_init(&f->base);
    f->fake = fake_engine_new(&f->base.loop, f->base.path);
    if (engine_new(&f->engine, &f->base.loop, f->base.endpoint, NULL, &err) < 0)
        return -1;
    session_fix_script(f);
    make_plan(f);
    f->hub = hub_new();
    f->notes = image_notes_new();
    f->spec = (struct session_spec){ .loop = &f->base.loop,
                                     .engine = f->engine,
                                     .plan = &f->plan,
                                     .hub = f->hub,
                                     .notes = f->notes,
                                     .ports = &f->ports,
                                     .id = "s1",
                                     .rack_id = "rack1",
                                     .owner = "0.-.1.b.1.1",
                                     .release = "RX",
                                     .dir = "/nowhere",
                                     .hub_tag = "convox",
                                     .on_event = on_event,
                                     .on_gone = on_gone,
                                     .user = f };
    *state = f;
    return 0;
}

static void release_container(struct plan_container *c)
{
    free(c->ports.v);
    free(c->mounts.v);
    free(c->files.v);
    strv_release(&c->argv);
    strv_release(&c->env);
}

static void release_plan(struct fix *f)
{
    for (size_t i = 0; i < f->plan.services.len; i++) {
        free(f->plan.services.v[i].resources.v);
        strv_release(&f->plan.services.v[i].pre_stop);
        strv_release(&f->plan.services.v[i].post_start);
        release_container(&f->plan.services.v[i].container);
        release_container(&f->plan.services.v[i].init_container);
    }
    for (size_t i = 0; i < f->plan.resources.len; i++) {
        release_container(&f->plan.resources.v[i].container);
        strv_release(&f->plan.resources.v[i].server);
    }
    for (size_t i = 0; i < f->plan.builds.len; i++)
        strv_release(&f->plan.builds.v[i].services);
    strv_release(&f->plan.build_env);
    free(f->plan.services.v);
    free(f->plan.resources.v);
    free(f->plan.volumes.v);
    free(f->plan.builds.v);
}

int session_fix_teardown(void **state)
{
    struct fix *f = *state;

    engine_close(f->engine, on_closed, f);
    WAIT_FOR(&f->base.loop, f->closed);
    fake_engine_close(f->fake);
    loop_fix_release(&f->base);
    hub_free(f->hub);
    image_notes_free(f->notes);
    release_plan(f);
    str_release(&f->events);
    free(f);
    return 0;
}

void begin(struct fix *f)
{
    f->session = session_start(&f->spec);
}

void wait_ready(struct fix *f)
{
    WAIT_FOR(&f->base.loop, f->ready);
}

void become_ready(struct fix *f)
{
    begin(f);
    wait_ready(f);
}

void run_for(struct fix *f, unsigned ms)
{
    loop_run_for(&f->base.loop, ms);
}

void assert_asked(const struct fix *f, const char *path, size_t times)
{
    assert_int_equal(fake_engine_asked(f->fake, path), times);
}

void wait_asked(struct fix *f, const char *path, size_t times)
{
    uint64_t until = 0;

    while (fake_engine_asked(f->fake, path) < times &&
           loop_turn(&f->base.loop, &until, 5000))
        continue;
    if (fake_engine_asked(f->fake, path) < times)
        fail_msg("never asked: %s", path);
    assert_asked(f, path, times);
}

unsigned events_with(const struct fix *f, const char *text)
{
    unsigned count = 0;

    for (const char *at = str_c(&f->events); (at = strstr(at, text)) != NULL;
         at++)
        count++;
    return count;
}

void wait_event_times(struct fix *f, const char *text, unsigned times)
{
    uint64_t until = 0;

    while (events_with(f, text) < times &&
           loop_turn(&f->base.loop, &until, 5000))
        continue;
    if (events_with(f, text) < times)
        fail_msg("not %u times \"%s\" in:\n%s", times, text, str_c(&f->events));
}

void wait_event(struct fix *f, const char *text)
{
    wait_event_times(f, text, 1);
}

void wait_over(struct fix *f)
{
    if (!loop_run_until(&f->base.loop, &f->gone, 8000))
        fail_msg("it hangs after:\n%s", str_c(&f->events));
}

void wait_gone(struct fix *f)
{
    wait_over(f);
    assert_int_equal(fake_engine_asked(f->fake, "/networks/net1"), 1);
}

void stop_it(struct fix *f)
{
    session_stop(f->session, "test", false, 0);
}

void finish(struct fix *f)
{
    stop_it(f);
    wait_gone(f);
}

void push_event(struct fix *f, const char *id, const char *action, int status)
{
    cleanup_free char *line =
        xasprintf("{\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{"
                  "\"ID\":\"%s\",\"Attributes\":{\"exitCode\":\"%d\","
                  "\"cvx.session\":\"s1\"}},\"time\":1,\"timeNano\":1}\n",
                  action, id, status);

    fake_engine_push(f->fake, "/events?filters=%7B%22label", line,
                     strlen(line));
}

void push_network_event(struct fix *f, const char *action,
                        const char *container)
{
    cleanup_free char *line =
        xasprintf("{\"Type\":\"network\",\"Action\":\"%s\",\"Actor\":{"
                  "\"ID\":\"net1\",\"Attributes\":{\"container\":\"%s\"}},"
                  "\"time\":1,\"timeNano\":1}\n",
                  action, container);

    fake_engine_push(f->fake, "/events?filters=%7B%22network", line,
                     strlen(line));
}

void push_die(struct fix *f, const char *id, int status)
{
    push_event(f, id, "die", status);
}

void push_exit(struct fix *f, const char *id, int status)
{
    cleanup_free char *attach = xasprintf("/containers/%s/attach", id);

    push_die(f, id, status);
    fake_engine_finish(f->fake, attach);
}

void assert_event(const struct fix *f, const char *text)
{
    if (strstr(str_c(&f->events), text) == NULL)
        fail_msg("no \"%s\" in:\n%s", text, str_c(&f->events));
}

void assert_no_event(const struct fix *f, const char *text)
{
    if (strstr(str_c(&f->events), text) != NULL)
        fail_msg("\"%s\" in:\n%s", text, str_c(&f->events));
}

int place_of(const struct fix *f, const char *part)
{
    for (size_t i = 0; i < fake_engine_requests(f->fake); i++)
        if (strstr(fake_engine_request(f->fake, i)->path, part) != NULL)
            return (int)i;
    return -1;
}
