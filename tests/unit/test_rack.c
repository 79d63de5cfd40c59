#include "rack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "api/start.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "logs/hub.h"
#include "net/httpc.h"
#include "rack/app_run.h"
#include "store/store.h"
#include "support/fake_engine.h"
#include "support/loop_fix.h"
#include "support/no_room.h"
#include "web/web.h"

#define CLIENTS 3

struct fix;

/* One request to the rack. */
struct asked {
    struct fix *f;
    struct httpc_req *req;
    struct str got;
    bool done;
    long status;
};

/* A whole rack, a scripted engine and a client, in one loop. The app has one
 * service, `web`. */
struct fix {
    struct loop_fix base; /* its socket is rackd's */
    char *engine_path, *body;
    struct rack *rack;
    struct fake_engine *fake;
    struct httpc *client;
    struct asked asked[CLIENTS];
    bool client_closed, rack_over;
};

/* The start that there is, or NULL. */
static struct app_run *newest(const struct fix *f)
{
    return rack_api(f->rack)->runs->all;
}

static void answer(struct fix *f, const char *method, const char *path,
                   int status, const char *body)
{
    fake_engine_on(f->fake, method, path,
                   &(struct fake_answer){ .status = status, .body = body });
}

static void answer_late(struct fix *f, const char *path, int status,
                        unsigned ms)
{
    fake_engine_on(f->fake, "DELETE", path,
                   &(struct fake_answer){ .status = status, .delay_ms = ms });
}

static void script(struct fix *f)
{
    fake_engine_on(
        f->fake, NULL, "/_ping",
        &(struct fake_answer){ .headers = "Api-Version: 1.41\r\n"
                                          "Server: Docker/20.10.24 (linux)\r\n",
                               .body = "OK" });
    answer(f, "GET", "/version", 200,
           "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\"}");
    answer(f, "GET", "/containers/json", 200, "[]");
    answer(f, "GET", "/networks", 200, "[]");
    answer(f, "GET", "/volumes", 200, "{\"Volumes\":[]}");
    answer(f, "GET", "/images/json", 200, "[]");
    answer(f, "GET", "/info", 200, "{\"OSType\":\"linux\"}");
    fake_engine_on(f->fake, "GET", "/events",
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN });
    answer(f, "POST", "/networks/create", 201, "{\"Id\":\"net1\"}");
    answer(f, "DELETE", "/networks/net1", 204, NULL);
    answer(f, "POST", "/containers/create", 201, "{\"Id\":\"web1\"}");
    answer(f, "POST", "/containers/create?name=cvx-reaper", 400,
           "{\"message\":\"no reaper here\"}");
    fake_engine_on(f->fake, "POST", "/containers/web1/attach",
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN });
    answer(f, "POST", "/containers/web1/start", 204, NULL);
    answer(f, "POST", "/containers/web1/stop", 204, NULL);
    answer(f, "DELETE", "/containers/web1", 204, NULL);
}

static void write_manifest(struct fix *f, const char *text)
{
    tmp_dir_put(&f->base.dir, "demo/convox.yml", text, 0644);
}

static char *start_body(struct fix *f, const char *more)
{
    return xasprintf("{\"dir\":\"%s/demo\",\"client_env\":{\"HOME\":\"%s\","
                     "\"DOCKER_HOST\":\"unix://%s\"}%s}",
                     f->base.dir.path, f->base.dir.path, f->engine_path, more);
}

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));
    struct err err = { 0 };

    loop_fix_init(&f->base);
    setenv("XDG_STATE_HOME", f->base.dir.path, 1);
    f->engine_path = tmp_dir_path(&f->base.dir, "engine.sock");
    f->fake = fake_engine_new(&f->base.loop, f->engine_path);
    script(f);
    write_manifest(f, "services:\n  web:\n    image: web:1\n"
                      "    termination: {grace: 1}\n");
    f->body = start_body(f, "");
    *state = f;
    if (rack_new(&f->rack, &f->base.loop, f->base.path, 300, &err) < 0)
        return -1;
    rack_api(f->rack)->tenants->tick_ms =
        20; /* who sleeps is not waited for long */
    return httpc_new(&f->client, &f->base.loop, f->base.endpoint, NULL, &err);
}

static void on_client_closed(void *user)
{
    ((struct fix *)user)->client_closed = true;
}

static void close_client(struct fix *f)
{
    if (!f->client_closed)
        httpc_close(f->client, on_client_closed, f);
    assert_true(loop_run_until(&f->base.loop, &f->client_closed, 1000));
}

static void run_for(struct fix *f, unsigned ms)
{
    loop_run_for(&f->base.loop, ms);
}

/* Whatever a test leaves, the rack ends and leaves no handle behind. */
static int teardown(void **state)
{
    struct fix *f = *state;

    close_client(f);
    rack_quit(f->rack);
    WAIT_FOR(&f->base.loop, access(f->base.path, F_OK) < 0);
    run_for(f, 20); /* its last handles close; nothing says when */
    fake_engine_close(f->fake);
    loop_fix_release(&f->base);
    rack_free(f->rack);
    for (int i = 0; i < CLIENTS; i++)
        str_release(&f->asked[i].got);
    free(f->engine_path);
    free(f->body);
    free(f);
    return 0;
}

static void on_data(struct httpc_req *req, const char *data, size_t len,
                    void *user)
{
    (void)req;
    str_add_len(&((struct asked *)user)->got, data, len);
}

static void on_done(const struct httpc_res *res, const struct err *err,
                    void *user)
{
    struct asked *a = user;

    (void)err;
    a->done = true;
    a->req = NULL;
    a->status = res == NULL ? 0 : res->status;
    if (res != NULL && res->body_len > 0)
        str_add_len(&a->got, res->body, res->body_len);
}

static struct asked *ask(struct fix *f, int n, const char *method,
                         const char *path, const char *json)
{
    struct asked *a = &f->asked[n];

    a->f = f;
    a->done = false;
    str_cut(&a->got, 0);
    a->req = httpc_start(f->client, &(struct httpc_spec){ .method = method,
                                                          .path = path,
                                                          .json = json,
                                                          .on_data = on_data,
                                                          .on_done = on_done,
                                                          .user = a });
    return a;
}

static struct asked *call(struct fix *f, int n, const char *method,
                          const char *path, const char *json)
{
    struct asked *a = ask(f, n, method, path, json);

    assert_true(loop_run_until(&f->base.loop, &a->done, 3000));
    return a;
}

static void has(const struct asked *a, const char *text)
{
    if (strstr(str_c(&a->got), text) == NULL)
        fail_msg("no %s in:\n%s", text, str_c(&a->got));
}

static void never_has(const struct asked *a, const char *text)
{
    if (strstr(str_c(&a->got), text) != NULL)
        fail_msg("%s in:\n%s", text, str_c(&a->got));
}

static void wait_for(struct asked *a, const char *text)
{
    for (int i = 0; i < 1500 && strstr(str_c(&a->got), text) == NULL; i++)
        run_for(a->f, 2);
    has(a, text); /* says what came instead */
}

static void wait_asked(struct fix *f, const char *path, size_t times)
{
    for (int i = 0; i < 300 && fake_engine_asked(f->fake, path) < times; i++)
        run_for(f, 10);
    assert_true(fake_engine_asked(f->fake, path) >= times);
}

static void wait_sessions(struct fix *f, const char *wanted)
{
    struct asked *a = call(f, 2, "GET", "/sessions", NULL);

    for (int i = 0; i < 200 && strcmp(str_c(&a->got), wanted) != 0; i++) {
        run_for(f, 10);
        a = call(f, 2, "GET", "/sessions", NULL);
    }
    assert_string_equal(str_c(&a->got), wanted);
}

#define NO_SESSIONS "{\"sessions\":[]}"

static struct asked *become_ready(struct fix *f)
{
    struct asked *a = ask(f, 0, "POST", "/start", f->body);

    wait_for(a, "\"type\":\"ready\"");
    return a;
}

/* ---- tests ----------------------------------------------------------------
 */

static void closed_lease_is_the_end_of_its_session(void **state)
{
    struct fix *f = *state;
    struct asked *a = become_ready(f);

    has(a, "{\"type\":\"session\"");
    has(a, "\"engine\":\"Docker\",\"engine_version\":\"20.10.24\"");
    has(a, "\"kind\":\"service\",\"name\":\"web\"");
    httpc_cancel(a->req);
    wait_asked(f, "/networks/net1", 1);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/web1/stop"), 1);
    wait_sessions(f, NO_SESSIONS);
}

static void stop_is_told_to_the_lease_and_to_who_asked(void **state)
{
    struct fix *f = *state;
    struct asked *a = become_ready(f), *b;

    b = call(f, 1, "POST", "/apps/demo/stop", NULL);
    has(b, "\"type\":\"stopping\"");
    has(b, "\"type\":\"removed\",");
    has(b, "\"type\":\"end\",");
    assert_true(loop_run_until(&f->base.loop, &a->done, 1000));
    has(a, "\"containers\":1,\"networks\":1,\"volumes\":0");
    has(a, "\"status\":0}\n");
}

static void who_asked_for_a_stop_may_leave(void **state)
{
    struct fix *f = *state;
    struct asked *a = become_ready(f), *b;

    fake_engine_on(f->fake, "POST", "/containers/web1/stop",
                   &(struct fake_answer){ .status = 204, .delay_ms = 200 });
    b = ask(f, 1, "POST", "/apps/demo/stop", NULL);
    wait_for(b, "stopping");
    httpc_cancel(b->req);
    assert_true(loop_run_until(&f->base.loop, &a->done, 3000));
    has(a, "\"status\":0}\n");
}

static void detached_session_stays_until_its_time_is_over(void **state)
{
    struct fix *f = *state;
    cleanup_free char *body = start_body(f, ",\"detach\":true,\"ttl\":1");
    struct asked *a = call(f, 0, "POST", "/start", body);

    has(a, "\"type\":\"ready\"");
    has(a, "\"status\":0}\n");
    call(f, 1, "GET", "/sessions", NULL);
    has(&f->asked[1], "\"detached\":true");
    call(f, 1, "GET", "/ps?app=demo", NULL);
    has(&f->asked[1], "\"service\":\"web\",\"status\":\"running\"");
    wait_asked(f, "/networks/net1", 1);
    wait_sessions(f, NO_SESSIONS);
}

static void absurd_times_are_taken_as_long_or_none(void **state)
{
    struct fix *f = *state;
    cleanup_free char *body =
        start_body(f, ",\"detach\":true,\"ttl\":1e300,\"wait_timeout\":-5");
    struct asked *a = call(f, 0, "POST", "/start", body);

    has(a, "\"type\":\"ready\"");
    run_for(f, 50);
    call(f, 1, "GET", "/sessions", NULL);
    has(&f->asked[1], "\"state\":\"ready\"");
}

static void quit_ends_sessions_and_everything(void **state)
{
    struct fix *f = *state;
    struct asked *a = become_ready(f);

    call(f, 1, "POST", "/quit", NULL);
    assert_true(loop_run_until(&f->base.loop, &a->done, 3000));
    has(a, "\"type\":\"removed\"");
    has(a, "\"status\":1}\n");
    WAIT_FOR(&f->base.loop, access(f->base.path, F_OK) < 0);
}

static void
start_that_waits_for_the_engine_does_not_outlive_a_quit(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    fake_engine_on(
        f->fake, NULL, "/_ping",
        &(struct fake_answer){ .headers = "Api-Version: 1.41\r\n"
                                          "Server: Docker/20.10.24 (linux)\r\n",
                               .delay_ms = 200 });
    a = ask(f, 0, "POST", "/start", f->body);
    wait_asked(f, "/_ping", 1);
    rack_quit(f->rack);
    assert_true(loop_run_until(&f->base.loop, &a->done, 2000));
    has(a, "this rackd is ending");
    assert_int_equal(fake_engine_asked(f->fake, "/networks/create"), 0);
}

static void
client_that_leaves_before_the_engine_answers_starts_nothing(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    fake_engine_on(
        f->fake, NULL, "/_ping",
        &(struct fake_answer){ .headers = "Api-Version: 1.41\r\n"
                                          "Server: Docker/20.10.24 (linux)\r\n",
                               .delay_ms = 150 });
    a = ask(f, 0, "POST", "/start", f->body);
    wait_asked(f, "/_ping", 1);
    httpc_cancel(a->req);
    run_for(f, 400);
    assert_int_equal(fake_engine_asked(f->fake, "/networks/create"), 0);
}

static void rack_without_clients_stays_for_its_idle_time(void **state)
{
    struct fix *f = *state;

    close_client(f);
    run_for(f, 2500);
    assert_int_equal(access(f->base.path, F_OK), 0);
}

static void doctor_left_in_the_middle_leaves_nothing_behind(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    fake_engine_on(f->fake, "GET", "/info",
                   &(struct fake_answer){ .how = FAKE_ENGINE_SILENT });
    a = ask(f, 0, "POST", "/doctor", f->body);
    wait_asked(f, "/info", 1);
    httpc_cancel(a->req);
    run_for(f, 50);
    /* And one whose visit the end of the rack cuts short. */
    ask(f, 0, "POST", "/doctor", f->body);
    wait_asked(f, "/info", 2);
    rack_quit(f->rack);
    run_for(f, 50);
}

static void log_reader_gets_its_end_with_the_session(void **state)
{
    static const char frame[] = "\1\0\0\0\0\0\0\6hello\n";
    struct fix *f = *state;
    struct asked *a = become_ready(f), *b;

    fake_engine_push(f->fake, "/containers/web1/attach", frame,
                     sizeof(frame) - 1);
    wait_for(a, "\"line\":\"hello\"");
    b = ask(f, 1, "GET", "/logs?app=demo&follow=1", NULL);
    wait_for(b, "\"line\":\"hello\"");
    httpc_cancel(a->req);
    assert_true(loop_run_until(&f->base.loop, &b->done, 3000));
    has(b, "{\"type\":\"end\"");
}

static void line_of_many_megabytes_does_not_end_the_session(void **state)
{
    struct fix *f = *state;
    struct asked *a = become_ready(f);
    size_t len = (size_t)6 << 20;
    cleanup_free char *frame = xcalloc(1, len + 8);

    frame[0] = 1; /* stdout, then the length; NUL bytes are six in JSON */
    frame[5] = (char)(len >> 16);
    frame[8 + len - 1] = '\n';
    fake_engine_push(f->fake, "/containers/web1/attach", frame, len + 8);
    WAIT_FOR_MS(&f->base.loop, 10000, a->got.len > len * 6 || a->done);
    assert_false(a->done);
    call(f, 1, "GET", "/sessions", NULL);
    has(&f->asked[1], "\"state\":\"ready\"");
}

/* ---- clients that do not read ------------------------------------------- */

/* Asks for a start, or for anything, and reads nothing. */
static int ask_and_sleep(struct fix *f, const char *request)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->base.path);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    return fd;
}

static int start_and_sleep(struct fix *f)
{
    cleanup_free char *request =
        xasprintf("POST /start HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s",
                  strlen(f->body), f->body);
    int fd = ask_and_sleep(f, request);
    struct asked *a = call(f, 1, "GET", "/sessions", NULL);

    for (int i = 0; i < 200 && strstr(str_c(&a->got), "ready") == NULL; i++) {
        run_for(f, 10);
        a = call(f, 1, "GET", "/sessions", NULL);
    }
    has(a, "\"state\":\"ready\"");
    return fd;
}

/* It awakes: reads until it has seen `text`. */
static void read_until(struct fix *f, int fd, struct asked *into,
                       const char *text)
{
    char buf[65536];

    str_cut(&into->got, 0);
    for (int i = 0; i < 2000 && strstr(str_c(&into->got), text) == NULL; i++) {
        ssize_t n = read(fd, buf, sizeof(buf));

        if (n > 0)
            str_add_len(&into->got, buf, (size_t)n);
        run_for(f, 1);
    }
    if (strstr(str_c(&into->got), text) == NULL)
        fail_msg("no %s in %zu bytes", text, into->got.len);
}

/* `count` lines of 1000 bytes, the last of them `last`. */
static void print_lines(struct fix *f, int count, const char *last)
{
    struct str out = { 0 };
    char line[1001];

    memset(line, 'x', 1000);
    line[1000] = '\0';
    for (int i = 0; i < count; i++) {
        const char *text = i == count - 1 ? last : line;
        size_t len = strlen(text) + 1;
        char head[8] = { 1, 0, 0, 0, 0, 0, (char)(len >> 8), (char)len };

        str_add_len(&out, head, 8);
        str_printf(&out, "%s\n", text);
    }
    fake_engine_push(f->fake, "/containers/web1/attach", str_c(&out), out.len);
    for (int i = 0; i < 50; i++)
        run_for(f, 4);
    for (int i = 0; i < 200; i++) { /* valgrind takes its time */
        call(f, 2, "GET", "/logs?app=demo&tail=1", NULL);
        if (strstr(str_c(&f->asked[2].got), last) != NULL)
            break;
        run_for(f, 20);
    }
    has(&f->asked[2], last);
    str_release(&out);
}

static void web_dies(struct fix *f)
{
    static const char died[] =
        "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":"
        "\"web1\",\"Attributes\":{\"exitCode\":\"3\"}}}\n";

    fake_engine_push(f->fake, "/events", died, strlen(died));
    fake_engine_finish(f->fake, "/containers/web1/attach");
    run_for(f, 50);
}

static void
session_of_a_sleeping_client_lives_and_is_told_how_it_stands(void **state)
{
    struct fix *f = *state;
    struct asked *a = &f->asked[0];
    int fd = start_and_sleep(f);

    rack_api(f->rack)->full_bytes = 256 << 10;
    print_lines(f, 12000, "the last line");
    web_dies(f);
    wait_asked(f, "/containers/web1/start", 2); /* it is started again */
    assert_true(start_unread(newest(f)) < 2 << 20);
    call(f, 1, "GET", "/ps?app=demo", NULL);
    has(&f->asked[1], "\"service\":\"web\",\"status\":\"running\"");

    read_until(f, fd, a, "the last line");
    never_has(a, "\"state\":\"exited\"");
    has(a, "\"type\":\"lost\",");
    has(a, "\"lines\":0,\"events\":");
    assert_non_null(strstr(strstr(str_c(&a->got), "\"events\":"),
                           "\"name\":\"web\",\"replica\":0,\"state\":"
                           "\"ready\""));
    web_dies(f); /* who reads again is told of everything again */
    read_until(f, fd, a, "\"state\":\"exited\"");
    close(fd);
    wait_sessions(f, NO_SESSIONS);
}

static void push_output(struct fix *f, const struct str *text)
{
    struct str frame = { 0 };
    char head[8] = { 1,
                     0,
                     0,
                     0,
                     (char)(text->len >> 24),
                     (char)(text->len >> 16),
                     (char)(text->len >> 8),
                     (char)text->len };

    str_add_len(&frame, head, 8);
    str_add_len(&frame, text->s, text->len);
    fake_engine_push(f->fake, "/containers/web1/attach", frame.s, frame.len);
    str_release(&frame);
}

static void output_waits_for_a_start_that_sleeps_and_none_is_lost(void **state)
{
    struct fix *f = *state;
    struct asked *a = &f->asked[0];
    struct str text = { 0 };
    const char *at, *end;
    int fd;

    rack_api(f->rack)->tenants->tick_ms = 60000;
    fd = start_and_sleep(f);
    for (int i = 0; i < 20000; i++)
        str_printf(&text, "number %d %0200d\n", i, 0);
    push_output(f, &text);
    WAIT_FOR(&f->base.loop, hub_is_full(newest(f)->tenant.hub));
    call(f, 1, "GET", "/logs?app=demo&tail=1", NULL);
    never_has(&f->asked[1], "number 19999 ");

    read_until(f, fd, a, "number 19999 ");
    never_has(a, "\"type\":\"lost\",");
    at = a->got.s;
    end = at + a->got.len;
    for (int i = 0; i < 20000; i++) {
        at = memmem(at, (size_t)(end - at), "number ", strlen("number "));
        assert_non_null(at);
        at += strlen("number ");
        assert_int_equal(strtol(at, NULL, 10), i);
    }
    str_release(&text);
    close(fd);
    wait_sessions(f, NO_SESSIONS);
}

static void lines_come_as_text_where_that_is_asked_for(void **state)
{
    struct fix *f = *state;
    cleanup_free char *body = start_body(f, ",\"text\":true");
    struct asked *a = ask(f, 0, "POST", "/start", body);
    struct str text = { 0 };

    wait_for(a, "\"type\":\"ready\"");
    str_add(&text, "one\n\"two\"\n");
    push_output(f, &text);
    wait_for(a,
             "\"source\":\"service/web\",\"stream\":\"stdout\",\"bytes\":10}\n"
             "one\n\"two\"\n");
    never_has(a, "\"type\":\"log\"");
    call(f, 1, "GET", "/logs?app=demo&text=1&tail=1", NULL);
    has(&f->asked[1], "\"bytes\":6}\n\"two\"\n{\"type\":\"end\"");
    call(f, 1, "GET", "/logs?app=demo&tail=1", NULL);
    has(&f->asked[1], "\"line\":\"\\\"two\\\"\"}\n{\"type\":\"end\"");
    str_release(&text);
}

static void what_was_missed_is_told_as_soon_as_all_is_read(void **state)
{
    struct fix *f = *state;
    struct asked *a = become_ready(f);

    rack_api(f->rack)->full_bytes =
        0; /* nobody reads fast enough, but no line waits */
    web_dies(f);
    wait_for(a, "\"lines\":0,\"events\":");
    rack_api(f->rack)->full_bytes = WEB_FULL;
    call(f, 1, "POST", "/apps/demo/stop", NULL);
    assert_true(loop_run_until(&f->base.loop, &a->done, 3000));
    has(a, "\"type\":\"removed\"");
}

static void client_that_sleeps_through_the_end_hears_it_later(void **state)
{
    struct fix *f = *state;
    struct asked *a = &f->asked[0];
    cleanup_free char *follow =
        xasprintf("GET /logs?app=demo&follow=1 HTTP/1.1\r\n\r\n");
    int fd = start_and_sleep(f), reader = ask_and_sleep(f, follow);

    print_lines(f, 12000, "the last line");
    call(f, 1, "POST", "/apps/demo/stop", NULL);
    has(&f->asked[1], "\"type\":\"removed\"");
    wait_sessions(f, NO_SESSIONS); /* nobody waits for who sleeps */
    read_until(f, fd, a, "\"type\":\"end\",");
    has(a, "the last line");
    has(a, "\"type\":\"removed\"");
    has(a, "\"type\":\"lost\",");
    read_until(f, reader, a, "\"type\":\"end\",");
    has(a, "the last line");
    has(a, "\"type\":\"lost\",");
    close(fd);
    close(reader);
}

static void clients_that_never_awake_keep_no_rack_from_ending(void **state)
{
    struct fix *f = *state;
    int fd = start_and_sleep(f);

    print_lines(f, 5000, "the last line");
    call(f, 1, "POST", "/apps/demo/stop", NULL);
    wait_sessions(f, NO_SESSIONS);
    rack_quit(f->rack); /* teardown() checks that nothing is left */
    WAIT_FOR(&f->base.loop, access(f->base.path, F_OK) < 0);
    close(fd);
}

static void what_could_not_be_removed_is_swept_by_the_next_start(void **state)
{
    struct fix *f = *state;
    struct asked *a = become_ready(f);

    answer(f, "DELETE", "/networks/net1", 500, "{\"message\":\"in use\"}");
    assert_int_equal(fake_engine_asked(f->fake, "/networks?"), 1);
    call(f, 1, "POST", "/apps/demo/stop", NULL);
    assert_true(loop_run_until(&f->base.loop, &a->done, 5000));
    has(a, "could not be removed");
    answer(f, "DELETE", "/networks/net1", 204, NULL);
    a = become_ready(f);
    wait_asked(f, "/networks?", 2);
    httpc_cancel(a->req);
    run_for(f, 200);
}

/* ---- what guards ----------------------------------------------------------
 */

static int teardown_processes(void **state)
{
    no_room(false);
    return teardown(state);
}

/* A start that waits for a container the engine is silent about. */
static struct asked *start_unguarded(struct fix *f)
{
    struct asked *a;

    fake_engine_on(f->fake, "POST", "/containers/create?name=cvx-reaper",
                   &(struct fake_answer){ .how = FAKE_ENGINE_SILENT });
    no_room(true);
    a = ask(f, 0, "POST", "/start", f->body);
    wait_asked(f, "/containers/create?name=cvx-reaper", 1);
    run_for(f, 50);
    assert_int_equal(fake_engine_asked(f->fake, "/networks/create"), 0);
    assert_non_null(newest(f));
    return a;
}

static void nothing_is_created_before_somebody_guards_it(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    fake_engine_on(f->fake, "POST", "/containers/create?name=cvx-reaper",
                   &(struct fake_answer){ .status = 400, .delay_ms = 500 });
    no_room(true);
    a = ask(f, 0, "POST", "/start", f->body);
    wait_asked(f, "/containers/create?name=cvx-reaper", 1);
    run_for(f, 80);
    assert_int_equal(fake_engine_asked(f->fake, "/networks/create"), 0);
    wait_for(a, "\"type\":\"ready\""); /* nobody can: that is said by doctor */
    call(f, 1, "POST", "/doctor", f->body);
    has(&f->asked[1], "nothing removes what a killed rackd leaves");
}

static void
client_that_leaves_while_the_guard_comes_is_not_waited_for(void **state)
{
    struct fix *f = *state;
    struct asked *a = start_unguarded(f);

    httpc_cancel(a->req);
    WAIT_FOR(&f->base.loop, newest(f) == NULL);
    assert_int_equal(fake_engine_asked(f->fake, "/networks/create"), 0);
}

static void rack_that_ends_does_not_wait_for_the_guard(void **state)
{
    struct fix *f = *state;
    struct asked *a = start_unguarded(f);

    rack_quit(f->rack);
    assert_true(loop_run_until(&f->base.loop, &a->done, 1000));
    has(a, "rackd ends");
    has(a, "\"status\":1}\n");
    assert_int_equal(fake_engine_asked(f->fake, "/networks/create"), 0);
}

/* The process asks without a version. */
static bool process_has_looked(struct fix *f)
{
    const struct fake_request *r;

    for (size_t i = 0; (r = fake_engine_request(f->fake, i)) != NULL; i++)
        if (str_starts(r->path, "/containers/json"))
            return true;
    return false;
}

/* Nobody knows whether it is there: it must not stay. */
static void container_that_never_came_is_left_to_the_process(void **state)
{
    struct fix *f = *state;
    cleanup_free char *find =
        xasprintf("pkill -9 -f '^cvx-reaper %s '", f->engine_path);
    struct asked *a;

    fake_engine_on(f->fake, "POST", "/containers/create?name=cvx-reaper",
                   &(struct fake_answer){ .how = FAKE_ENGINE_SILENT });
    a = become_ready(f); /* the process guards it */
    httpc_cancel(a->req);
    WAIT_FOR(&f->base.loop, newest(f) == NULL);
    assert_false(process_has_looked(f));
    rack_quit(f->rack);
    WAIT_FOR(&f->base.loop, process_has_looked(f));
    assert_int_equal(system(find), 0); /* it would look on for a while */
}

/* A container that guards, as it should be. */
static void has_reaper(struct fix *f)
{
    answer(f, "POST", "/containers/create?name=cvx-reaper", 201,
           "{\"Id\":\"reap1\"}");
    fake_engine_on(f->fake, "POST", "/containers/reap1/attach",
                   &(struct fake_answer){ .how = FAKE_ENGINE_OPEN,
                                          .headers =
                                              "Content-Type: application/"
                                              "vnd.docker.raw-stream\r\n" });
    answer(f, "POST", "/containers/reap1/start", 204, NULL);
    answer(f, "DELETE", "/containers/reap1", 204, NULL);
}

static void reaper_answers(struct fix *f)
{
    static const char ok[] = "\1\0\0\0\0\0\0\3ok\n";

    wait_asked(f, "/containers/reap1/start", 1);
    run_for(f, 50);
    fake_engine_push(f->fake, "/containers/reap1/attach", ok, sizeof(ok) - 1);
}

/* The request's place among all. */
static size_t place_of(const struct fix *f, const char *part)
{
    const struct fake_request *r;
    size_t i = 0;

    while ((r = fake_engine_request(f->fake, i)) != NULL &&
           strstr(r->path, part) == NULL)
        i++;
    assert_non_null(r);
    return i;
}

static void container_that_guards_goes_beside_the_network(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    has_reaper(f);
    answer_late(f, "/networks/net1", 204, 600);
    a = become_ready(f);
    reaper_answers(f);
    httpc_cancel(a->req);
    wait_asked(f, "/containers/reap1?", 1);
    assert_true(place_of(f, "/containers/web1?") <
                place_of(f, "/networks/net1"));
    assert_true(place_of(f, "/networks/net1") <
                place_of(f, "/containers/reap1?"));
    assert_non_null(newest(f)->tenant.session); /* the network is still there */
}

static void alone_it_stays_until_the_network_is_gone(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    has_reaper(f);
    answer_late(f, "/networks/net1", 204, 300);
    no_room(true);
    a = ask(f, 0, "POST", "/start", f->body);
    reaper_answers(f);
    wait_for(a, "\"type\":\"ready\"");
    httpc_cancel(a->req);
    wait_asked(f, "/networks/net1", 1);
    while (newest(f) != NULL && newest(f)->tenant.session != NULL) {
        assert_int_equal(fake_engine_asked(f->fake, "/containers/reap1?"), 0);
        run_for(f, 10);
    }
    wait_asked(f, "/containers/reap1?", 1);
}

/* ---- sweeps ---------------------------------------------------------------
 */

/* A container of a session of this rack that has ended, so many times. */
static void has_leftover(struct fix *f, unsigned times)
{
    cleanup_free char *list =
        xasprintf("[{\"Id\":\"old1\",\"Names\":[\"/"
                  "old\"],\"Labels\":{\"cvx.rack\":\"%s\","
                  "\"cvx.session\":\"s0\",\"cvx.app\":\"demo\"}}]",
                  rack_api(f->rack)->store->rack_id);

    fake_engine_on(f->fake, "GET", "/containers/json",
                   &(struct fake_answer){ .body = list, .times = times });
}

static void sweep_by_hand_says_what_it_removed(void **state)
{
    struct fix *f = *state;
    cleanup_free char *dry = start_body(f, ",\"dry_run\":true");
    struct asked *a;

    has_leftover(f, 0);
    answer(f, "DELETE", "/containers/old1", 204, NULL);
    a = call(f, 0, "POST", "/sweep", dry);
    has(a, "{\"type\":\"leftover\",\"kind\":\"container\",\"name\":\"old\"");
    has(a, "\"app\":\"demo\",\"why\":\"of session s0, which has ended\"");
    has(a, "\"removed\":false");
    has(a, "\"status\":0,\"found\":1}");
    assert_int_equal(fake_engine_asked(f->fake, "/containers/old1"), 0);
    a = call(f, 0, "POST", "/sweep", f->body);
    has(a, "\"removed\":true");
    has(a, "\"status\":0,\"found\":1}");
    assert_int_equal(fake_engine_asked(f->fake, "/containers/old1"), 1);
}

static void sweep_by_hand_that_fails_says_why(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    has_leftover(f, 0);
    answer(f, "DELETE", "/containers/old1", 500, "{\"message\":\"busy\"}");
    a = call(f, 0, "POST", "/sweep", f->body);
    has(a, "\"removed\":false,\"error\":\"busy\"");
    has(a, "\"status\":1,\"found\":1}");
    answer(f, "GET", "/volumes", 500, "{\"message\":\"broken\"}");
    a = call(f, 0, "POST", "/sweep", f->body);
    has(a, "the engine does not say what it has");
    has(a, "\"why\":\"broken\"");
    has(a, "\"status\":1,\"found\":0}");
}

static void sweep_goes_on_when_who_asked_for_it_has_left(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    has_leftover(f, 0);
    fake_engine_on(f->fake, "DELETE", "/containers/old1",
                   &(struct fake_answer){ .status = 204 });
    fake_engine_on(f->fake, "GET", "/networks",
                   &(struct fake_answer){ .body = "[]", .delay_ms = 100 });
    a = ask(f, 0, "POST", "/sweep", f->body);
    wait_asked(f, "/networks", 1);
    httpc_cancel(a->req);
    wait_asked(f, "/containers/old1", 1);
    run_for(f, 50);
}

static void rack_that_ends_in_a_sweep_leaves_nothing_of_it(void **state)
{
    struct fix *f = *state;

    has_leftover(f, 0);
    fake_engine_on(f->fake, "DELETE", "/containers/old1",
                   &(struct fake_answer){ .status = 204, .delay_ms = 3 });
    ask(f, 0, "POST", "/sweep", f->body);
    wait_asked(f, "/containers/old1", 1);
    rack_quit(f->rack); /* its answer comes while the parts close */
    run_for(f, 50);
}

static void what_cannot_be_removed_is_tried_until_it_can(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    has_leftover(f, 0);
    answer(f, "DELETE", "/containers/old1", 500, "{\"message\":\"busy\"}");
    a = become_ready(f); /* and the first session sweeps */
    wait_asked(f, "/containers/old1", 1);
    run_for(f, 1500);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/old1"), 1);
    wait_asked(f, "/containers/old1", 2);
    answer(f, "DELETE", "/containers/old1", 204, NULL);
    run_for(f, 3000); /* twice as long as before */
    assert_int_equal(fake_engine_asked(f->fake, "/containers/old1"), 2);
    wait_asked(f, "/containers/old1", 3);
    answer(f, "GET", "/containers/json", 200, "[]");
    run_for(f, 2500);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/old1"), 3);
    assert_int_equal(fake_engine_asked(f->fake, "/networks?"), 3);
    assert_false(a->done);
}

static void engine_that_does_not_list_is_swept_later(void **state)
{
    struct fix *f = *state;

    has_leftover(f, 0);
    answer(f, "DELETE", "/containers/old1", 204, NULL);
    fake_engine_on(f->fake, "GET", "/volumes",
                   &(struct fake_answer){ .status = 500, .times = 1 });
    become_ready(f);
    run_for(f, 100);
    assert_int_equal(fake_engine_asked(f->fake, "/containers/old1"), 0);
    wait_asked(f, "/containers/old1", 1);
}

static void wrong_manifest_starts_nothing(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    write_manifest(f, "services:\n  web:\n    resources: [db]\n");
    a = call(f, 0, "POST", "/start", f->body);
    has(a, "\"type\":\"error\"");
    has(a, "convox.yml:3:");
    has(a, "\"type\":\"end\"");
    assert_int_equal(fake_engine_requests(f->fake), 0);
}

static void what_does_not_run_is_404(void **state)
{
    static const char *const paths[] = { "/ps?app=no", "/logs?app=no",
                                         "/services?app=no",
                                         "/resources?app=no" };
    struct fix *f = *state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        struct asked *a = call(f, 0, "GET", paths[i], NULL);

        assert_int_equal(a->status, 404);
        has(a, "{\"error\":\"app not running: no\"}");
    }
    call(f, 0, "POST", "/apps/no/stop", NULL);
    assert_int_equal(f->asked[0].status, 404);
    call(f, 0, "POST", "/sessions/s0/stop", NULL);
    assert_int_equal(f->asked[0].status, 404);
}

static char *timings_path(const struct fix *f)
{
    return xasprintf("%s/cvx/local/apps/demo.timings", f->base.dir.path);
}

static void write_timings(const struct fix *f, const char *text)
{
    cleanup_free char *path = timings_path(f);
    FILE *out = fopen(path, "we");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void start_is_timed_and_that_outlives_it(void **state)
{
    struct fix *f = *state;
    struct asked *b = call(f, 1, "GET", "/timings?app=demo", NULL);

    assert_int_equal(b->status, 404);
    has(b, "no start of app demo has been timed yet: cvx start");
    become_ready(f);
    never_has(&f->asked[0], "\"usual\"");
    call(f, 1, "POST", "/apps/demo/stop", NULL);
    b = call(f, 1, "GET", "/timings?app=demo", NULL);
    assert_int_equal(b->status, 200);
    has(b, "{\"slower\":false,\"compared\":0,\"starts\":[{\"started\":");
    has(b, "\"app\":\"demo\",\"session\":\"s");
    has(b, "{\"kind\":\"rackd\",\"name\":\"rackd\",\"replica\":0,");
    has(b, "{\"kind\":\"network\",\"name\":\"demo\",\"replica\":0,");
    has(b, "{\"kind\":\"service\",\"name\":\"web\",\"replica\":0,"
           "\"from\":\"image\",");
    has(b, "\"path\":[{\"kind\":\"rackd\",");
    assert_int_equal(call(f, 1, "GET", "/timings", NULL)->status, 400);
}

#define FORMER                                                                 \
    "{\"engine\":\"Docker\",\"keep_data\":false,\"ready_ms\":1,\"items\":["    \
    "{\"kind\":\"network\",\"name\":\"demo\",\"replica\":0,\"own_ms\":9e9},"   \
    "{\"kind\":\"rackd\",\"name\":\"rackd\",\"replica\":0,\"own_ms\":9e9},"    \
    "{\"kind\":\"service\",\"name\":\"web\",\"replica\":0,\"own_ms\":1}]}\n"

static void slow_start_says_at_ready_who_it_was(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    fake_engine_on(f->fake, "POST", "/containers/web1/start",
                   &(struct fake_answer){ .status = 204, .delay_ms = 600 });
    write_timings(f, FORMER FORMER "nonsense\n" FORMER);
    a = become_ready(f);
    has(a, "\"usual\":0.001,\"culprit\":{\"kind\":\"service\","
           "\"name\":\"web\",\"replica\":0}}");
    a = call(f, 1, "GET", "/timings?app=demo", NULL);
    has(a, "{\"slower\":true,\"usual_ms\":1,\"compared\":3,\"culprit\":");
}

static void timings_that_cannot_be_kept_harm_no_start(void **state)
{
    struct fix *f = *state;
    cleanup_free char *path = timings_path(f);

    assert_int_equal(mkdir(path, 0700), 0);
    become_ready(f);
    assert_int_equal(call(f, 1, "GET", "/timings?app=demo", NULL)->status, 404);
    call(f, 1, "POST", "/apps/demo/stop", NULL);
    has(&f->asked[1], "\"type\":\"removed\"");
    assert_int_equal(rmdir(path), 0);
}

static void environment_is_set_and_read_back(void **state)
{
    struct fix *f = *state;

    call(f, 0, "POST", "/env?app=demo",
         "{\"set\":[\"B=2\",\"A=1\",\"C=3\"],\"unset\":[\"C\"]}");
    has(&f->asked[0], "{\"release\":\"R");
    call(f, 0, "GET", "/env?app=demo", NULL);
    assert_string_equal(str_c(&f->asked[0].got),
                        "{\"env\":[{\"key\":\"A\",\"value\":\"1\"},"
                        "{\"key\":\"B\",\"value\":\"2\"}]}");
}

static void write_env(struct fix *f, const char *text)
{
    cleanup_free char *path = xasprintf("%s/demo/.env", f->base.dir.path);
    FILE *out = fopen(path, "we");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

/* An app with a secret of every sort; its web prints none. */
static void secretive_app(struct fix *f)
{
    write_env(f, "API_TOKEN=sesame-of-env\n"
                 "DB_URL=postgres://me:sesame-of-url@db.example.com/shop\n");
    write_manifest(f, "resources:\n  db: {type: postgres}\n"
                      "services:\n  web:\n    image: web:1\n"
                      "    command: serve --with ${API_TOKEN} sesame2store\n"
                      "    environment: [API_TOKEN, PLAIN]\n"
                      "    resources: [db]\n"
                      "    termination: {grace: 1}\n");
    call(f, 1, "POST", "/env?app=demo", "{\"set\":[\"PLAIN=sesame2store\"]}");
}

static void secrets_are_in_no_event_and_no_listing(void **state)
{
    static const char *const paths[] = { "/ps", "/ps?app=demo",
                                         "/services?app=demo",
                                         "/resources?app=demo" };
    struct fix *f = *state;
    struct asked *a;

    secretive_app(f);
    a = become_ready(f);
    has(a, "postgres://me:****@db.example.com/shop");
    for (int i = 0; i < 4; i++) {
        call(f, 1, "GET", paths[i], NULL);
        assert_int_equal(f->asked[1].status, 200);
        never_has(&f->asked[1], "sesame");
        if (i < 2)
            has(&f->asked[1], "\"command\":\"serve --with **** ****\"");
    }
    call(f, 1, "GET", "/resources?app=demo&secrets=1", NULL);
    has(&f->asked[1], "postgres://me:sesame-of-url@db.example.com/shop");
    call(f, 1, "POST", "/plan", f->body);
    never_has(&f->asked[1], "sesame");
    call(f, 1, "POST", "/apps/demo/stop", NULL);
    assert_true(loop_run_until(&f->base.loop, &a->done, 2000));
    never_has(a, "sesame");
}

static void engine_that_repeats_a_secret_is_not_quoted(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    secretive_app(f);
    answer(f, "POST", "/containers/create", 400,
           "{\"message\":\"bad env: sesame-of-env, sesame-of-url,\\n"
           "sesame2store\"}");
    a = call(f, 0, "POST", "/start", f->body);
    has(a, "bad env: ****, ****,\\n****");
    never_has(a, "sesame");
}

static void wrong_manifest_with_a_secret_in_it_does_not_show_it(void **state)
{
    struct fix *f = *state;
    struct asked *a;

    secretive_app(f);
    write_manifest(f, "resources:\n  db: {type: \"${API_TOKEN}\"}\n"
                      "services:\n  web: {image: web:1}\n");
    a = call(f, 0, "POST", "/start", f->body);
    has(a, "\"diag_text\"");
    has(a, "****");
    never_has(a, "sesame");
    call(f, 1, "POST", "/validate", f->body);
    never_has(&f->asked[1], "sesame");
}

static void second_rack_on_the_socket_is_refused(void **state)
{
    struct fix *f = *state;
    struct rack *other = NULL;
    struct err err = { 0 };
    uv_loop_t loop;

    uv_loop_init(&loop);
    assert_int_equal(rack_new(&other, &loop, f->base.path, 300, &err), -1);
    assert_non_null(strstr(err.msg, "somebody listens on "));
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(closed_lease_is_the_end_of_its_session),
        T(stop_is_told_to_the_lease_and_to_who_asked),
        T(who_asked_for_a_stop_may_leave),
        T(detached_session_stays_until_its_time_is_over),
        T(absurd_times_are_taken_as_long_or_none),
        T(quit_ends_sessions_and_everything),
        T(start_that_waits_for_the_engine_does_not_outlive_a_quit),
        T(client_that_leaves_before_the_engine_answers_starts_nothing),
        T(rack_without_clients_stays_for_its_idle_time),
        T(doctor_left_in_the_middle_leaves_nothing_behind),
        T(log_reader_gets_its_end_with_the_session),
        T(line_of_many_megabytes_does_not_end_the_session),
        T(session_of_a_sleeping_client_lives_and_is_told_how_it_stands),
        T(output_waits_for_a_start_that_sleeps_and_none_is_lost),
        T(lines_come_as_text_where_that_is_asked_for),
        T(what_was_missed_is_told_as_soon_as_all_is_read),
        T(client_that_sleeps_through_the_end_hears_it_later),
        T(clients_that_never_awake_keep_no_rack_from_ending),
        T(what_could_not_be_removed_is_swept_by_the_next_start),
        cmocka_unit_test_setup_teardown(
            nothing_is_created_before_somebody_guards_it, setup,
            teardown_processes),
        cmocka_unit_test_setup_teardown(
            client_that_leaves_while_the_guard_comes_is_not_waited_for, setup,
            teardown_processes),
        cmocka_unit_test_setup_teardown(
            rack_that_ends_does_not_wait_for_the_guard, setup,
            teardown_processes),
        T(container_that_never_came_is_left_to_the_process),
        T(container_that_guards_goes_beside_the_network),
        cmocka_unit_test_setup_teardown(
            alone_it_stays_until_the_network_is_gone, setup,
            teardown_processes),
        T(sweep_by_hand_says_what_it_removed),
        T(sweep_by_hand_that_fails_says_why),
        T(sweep_goes_on_when_who_asked_for_it_has_left),
        T(rack_that_ends_in_a_sweep_leaves_nothing_of_it),
        T(what_cannot_be_removed_is_tried_until_it_can),
        T(engine_that_does_not_list_is_swept_later),
        T(wrong_manifest_starts_nothing),
        T(what_does_not_run_is_404),
        T(start_is_timed_and_that_outlives_it),
        T(slow_start_says_at_ready_who_it_was),
        T(timings_that_cannot_be_kept_harm_no_start),
        T(environment_is_set_and_read_back),
        T(secrets_are_in_no_event_and_no_listing),
        T(engine_that_repeats_a_secret_is_not_quoted),
        T(wrong_manifest_with_a_secret_in_it_does_not_show_it),
        T(second_rack_on_the_socket_is_refused),
    };

    return cmocka_run_group_tests_name("rack", tests, NULL, NULL);
}
