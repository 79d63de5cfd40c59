/* What people and engines do to a running session, and it goes on. */
#include "support/session_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

/* ---- removed ------------------------------------------------------------ */

/* The next container of that name gets another id, as on a real engine. */
/* docker rm -f, as the engine tells it. */
static void push_removal(struct fix *f, const char *id)
{
    push_event(f, id, "kill", 0);
    push_exit(f, id, 137);
    run_for(f, 30); /* as long as it takes there */
    push_event(f, id, "destroy", 0);
}

static void service_removed_from_outside_is_made_again(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    next_is(f, CREATE_WEB, "web2");
    push_removal(f, "web1");
    wait_event(f, "warning service web: its container was removed from "
                  "outside; making it again");
    assert_event(f, "service web exited: removed from outside\n");
    assert_no_event(f, "killed by");
    wait_event_times(f, "service web ready", 2);
    finish(f);
    assert_int_equal(f->status, 0);
    assert_event(f, "removed 2 1 0");
    /* Nothing of the old one is in the books. */
    assert_asked(f, "/containers/web1?force", 0);
    assert_asked(f, "/containers/web2?force", 1);
}

static void resource_removed_from_outside_is_made_again(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    next_is(f, CREATE_DB, "db2");
    push_removal(f, "db1");
    wait_event(f, "warning resource db: its container was removed from "
                  "outside; making it again");
    wait_event_times(f, "resource db ready", 2);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void kill_without_a_removal_is_an_exit(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    push_event(f, "web1", "kill", 0);
    push_exit(f, "web1", 137);
    wait_event(f, "service web ended: exit status 137 (killed by SIGKILL)");
    assert_no_event(f, "from outside");
    wait_asked(f, "/containers/web1/start", 2);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void container_removed_in_its_pause_is_made_again(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    next_is(f, CREATE_WEB, "web2");
    push_exit(f, "web1", 1);
    wait_event(f, "starting it again in 0.5 s");
    push_event(f, "web1", "destroy", 0);
    wait_event(f, "warning service web: its container was removed from "
                  "outside; making it again");
    wait_event_times(f, "service web ready", 2);
    finish(f);
    assert_event(f, "removed 2 1 0");
    assert_asked(f, "/containers/web1?force", 0);
}

static void container_removed_before_it_was_started_is_made_again(void **state)
{
    struct fix *f = *state;

    f->db->probe = PROBE_REDIS; /* it never answers, so web waits */
    f->db->port = 1;
    begin(f);
    wait_event(f, "service web waiting"); /* with a container */
    next_is(f, CREATE_WEB, "web2");
    push_event(f, "web1", "destroy", 0);
    wait_asked(f, CREATE_WEB, 2);
    wait_event_times(f, "service web waiting", 2);
    assert_event(f, "warning service web: its container was removed from "
                    "outside; making it again");
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void container_removed_while_files_are_put_gets_them_again(void **state)
{
    struct fix *f = *state;
    struct plan_file *file = vec_add(&f->web->container.files);

    file->path = TEXT("/x");
    file->text = TEXT("y");
    answer_never(f, "PUT", "/containers/web1/archive");
    begin(f);
    wait_asked(f, "/containers/web1/archive", 1);
    next_is(f, CREATE_WEB, "web2");
    answer(f, "PUT", "/containers/web2/archive", 200, NULL);
    push_event(f, "web1", "destroy", 0);
    wait_asked(f, "/containers/web2/archive", 1);
    wait_ready(f);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

/* The engine says that the file's place is not there (yet), so it is put again
 * and again. */
static void nothing_is_put_into_a_container_that_was_removed(void **state)
{
    struct fix *f = *state;
    struct plan_file *file = vec_add(&f->web->container.files);
    size_t asked;

    file->path = TEXT("/x");
    file->text = TEXT("y");
    answer(f, "PUT", "/containers/web1/archive", 404,
           "{\"message\":\"Could not find the file / in container web1\"}");
    begin(f);
    wait_asked(f, "/containers/web1/archive", 1);
    run_for(f, 20); /* answered, and waiting for its next try */
    next_is(f, CREATE_WEB, "web2");
    answer(f, "PUT", "/containers/web2/archive", 200, NULL);
    push_event(f, "web1", "destroy", 0);
    run_for(f, 10); /* what was under way has been asked */
    asked = fake_engine_asked(f->fake, "/containers/web1/archive");
    wait_asked(f, "/containers/web2/archive", 1);
    assert_asked(f, "/containers/web1/archive", asked);
    wait_ready(f);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void container_removed_while_it_starts_is_made_again(void **state)
{
    struct fix *f = *state;

    answer_late(f, "POST", "/containers/web1/start", 404,
                "{\"message\":\"No such container: web1\"}", 200);
    begin(f);
    wait_asked(f, "/containers/web1/start", 1);
    next_is(f, CREATE_WEB, "web2");
    push_event(f, "web1", "destroy", 0);
    wait_ready(f);
    assert_event(f, "its container was removed from outside");
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void container_removed_while_it_is_attached_is_made_again(void **state)
{
    struct fix *f = *state;

    answer_never(f, "POST", "/containers/web1/attach");
    begin(f);
    wait_asked(f, "/containers/web1/attach", 1);
    next_is(f, CREATE_WEB, "web2");
    push_event(f, "web1", "destroy", 0);
    wait_ready(f);
    assert_event(f, "its container was removed from outside");
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void own_removal_is_nobodys_doing(void **state)
{
    struct fix *f = *state;

    /* Podman says at the attach what Docker says at the start. */
    answer_once(f, "POST", "/containers/web1/attach", 500,
                "{\"message\":\"address already in use\"}");
    answer_late(f, "DELETE", "/containers/web1", 204, NULL, 100);
    begin(f);
    wait_asked(f, "/containers/web1?force", 1);
    next_is(f, CREATE_WEB, "web2");
    push_event(f, "web1", "destroy", 0);
    wait_ready(f);
    assert_no_event(f, "from outside");
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void init_container_removed_after_its_work_is_not_missed(void **state)
{
    struct fix *f = *state;

    f->web->has_init = true;
    f->web->init_container =
        (struct plan_container){ .image = TEXT("web:1"), .build = -1 };
    next_is(f, CREATE "web-init", "init1");
    begin(f);
    wait_asked(f, "/containers/init1/start", 1);
    push_exit(f, "init1", 0);
    wait_ready(f);
    push_event(f, "init1", "destroy", 0);
    run_for(f, 100); /* it would be made again */
    assert_no_event(f, "from outside");
    finish(f);
    assert_event(f, "removed 2 1 0");
    assert_asked(f, "/containers/init1?force", 0);
}

static void removed_again_and_again_before_it_is_ready_is_an_error(void **state)
{
    struct fix *f = *state;

    f->db->probe = PROBE_REDIS;
    f->db->port = 1;
    begin(f);
    wait_event(f, "service web waiting");
    for (unsigned i = 0; i < 4 && !f->gone; i++) {
        push_event(f, "web1", "destroy", 0);
        WAIT_FOR(&f->base.loop,
                 f->gone || fake_engine_asked(f->fake, CREATE_WEB) > i + 1);
        run_for(f, 30); /* it is created, and waits */
    }
    wait_gone(f);
    assert_int_equal(f->status, 137);
    assert_event(f, "error service web ended before it was ready: its "
                    "container was removed from outside");
}

static void removal_ends_the_session_where_an_exit_does(void **state)
{
    struct fix *f = *state;

    f->spec.exit_on_failure = true;
    become_ready(f);
    push_removal(f, "web1");
    wait_gone(f);
    assert_int_equal(f->status, 137);
    assert_event(f, "error service web ended: its container was removed from "
                    "outside");
    assert_event(f, "removed 1 1 0");
}

static void container_made_again_has_the_port_it_had(void **state)
{
    struct fix *f = *state;
    struct plan_port *p = vec_add(&f->db->container.ports);
    int before;

    *p = (struct plan_port){ .container = 5432, .published = true };
    /* also where it had to look for another once */
    answer_once(f, "POST", "/containers/db1/start", 500,
                "{\"message\":\"port is already allocated\"}");
    become_ready(f);
    before = session_host_port(f->session, "resource", "db", 0);
    assert_true(before > 0);
    next_is(f, CREATE_DB, "db2");
    push_removal(f, "db1");
    wait_asked(f, "/containers/db2/start", 1);
    assert_int_equal(session_host_port(f->session, "resource", "db", 0),
                     before);
    finish(f);
}

static void what_the_engine_lost_while_away_is_made_again(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    next_is(f, CREATE_WEB, "web2");
    answer(f, "GET", "/containers/json", 200,
           "[{\"Id\":\"db1\",\"Names\":[\"/a\"],\"State\":\"running\","
           "\"Labels\":{}}]");
    fake_engine_finish(f->fake, "/events");
    wait_event(f, "service web: its container was removed from outside");
    wait_event_times(f, "service web ready", 2);
    answer(f, "GET", "/containers/json", 200, "[]");
    finish(f);
    assert_event(f, "removed 2 1 0");
}

/* ---- out of memory ------------------------------------------------------ */

static void memory_that_runs_out_is_the_reason(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    push_event(f, "web1", "oom", 0);
    push_exit(f, "web1", 137);
    wait_event(f, "warning service web ended: exit status 137 (out of memory); "
                  "starting it again");
    wait_asked(f, "/containers/web1/start", 2);
    finish(f);
}

static void word_of_memory_may_come_after_the_exit(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    push_exit(f, "web1", 137);
    run_for(f, 100); /* the word is waited for */
    assert_no_event(f, "service web exited");
    push_event(f, "web1", "oom", 0);
    wait_event(f, "service web exited: exit status 137 (out of memory)");
    finish(f);
}

/* ---- the network -------------------------------------------------------- */

static void inspected(struct fix *f, const char *id, const char *status,
                      const char *networks)
{
    cleanup_free char *path = xasprintf("/containers/%s/json", id);
    cleanup_free char *body =
        xasprintf("{\"Id\":\"%s\",\"Name\":\"/x\",\"State\":{\"Status\":"
                  "\"%s\"},\"Config\":{},\"NetworkSettings\":{\"Networks\":"
                  "{%s}}}",
                  id, status, networks);

    answer(f, "GET", path, 200, body);
}

/* "10.1.2.3" of a request's body; the caller frees it. */
static char *address_in(const struct fake_request *r)
{
    static const char key[] = "\"IPv4Address\":\"";
    const char *at = strstr(r->body, key);

    assert_non_null(at);
    at += strlen(key);
    return str_dup_len(at, strcspn(at, "\""));
}

static void ends_clean(struct fix *f)
{
    stop_it(f);
    wait_over(f);
    assert_int_equal(f->status, 0);
    assert_event(f, "removed 2 1 0");
}

static void container_off_the_network_is_connected_again(void **state)
{
    struct fix *f = *state;
    cleanup_free char *made_with = NULL, *connected_with = NULL;
    const struct fake_request *r;

    strv_add(&f->web->container.aliases, "web");
    become_ready(f);
    wait_asked(f, "/events?filters=%7B%22network", 1);
    inspected(f, "web1", "running", "\"bridge\":{\"IPAddress\":\"1.2.3.4\"}");
    answer(f, "POST", "/networks/net1/connect", 200, NULL);
    push_network_event(f, "disconnect", "web1");
    push_network_event(f, "disconnect", "web1"); /* as Docker 20.10 does */
    wait_asked(f, "/networks/net1/connect", 1);
    assert_event(f, "warning service web was disconnected from the session's "
                    "network from outside; connecting it again\n");
    r = fake_engine_last(f->fake, "/networks/net1/connect");
    assert_non_null(strstr(r->body, "\"Container\":\"web1\""));
    assert_non_null(strstr(r->body, "\"Aliases\":[\"web\"]"));
    made_with = address_in(fake_engine_last(f->fake, CREATE_WEB));
    connected_with = address_in(r);
    assert_string_equal(made_with, connected_with);
    strv_release(&f->web->container.aliases);
    ends_clean(f);
}

static void end_of_a_container_is_no_disconnect(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    wait_asked(f, "/events?filters=%7B%22network", 1);
    push_die(f, "web1", 1);
    push_network_event(f, "disconnect", "web1");
    run_for(f, 50); /* it is not looked at */
    assert_asked(f, "/containers/web1/json", 0);
    /* An engine may tell the disconnect first: the look shows it. */
    inspected(f, "db1", "exited", "");
    push_network_event(f, "disconnect", "db1");
    wait_asked(f, "/containers/db1/json", 1);
    run_for(f, 50); /* what it shows is no reason to say anything */
    assert_no_event(f, "disconnected");
    ends_clean(f);
}

static void taken_address_is_given_up_for_another(void **state)
{
    struct fix *f = *state;
    cleanup_free char *first = NULL, *second = NULL;
    const struct fake_request *r;

    become_ready(f);
    wait_asked(f, "/events?filters=%7B%22network", 1);
    inspected(f, "web1", "running", "");
    answer(f, "POST", "/networks/net1/connect", 200, NULL);
    answer_once(f, "POST", "/networks/net1/connect", 500,
                "{\"message\":\"Address already in use\"}");
    push_network_event(f, "disconnect", "web1");
    wait_asked(f, "/networks/net1/connect", 2);
    r = fake_engine_last(f->fake, "/networks/net1/connect");
    assert_null(strstr(r->body, "IPv4Address"));
    wait_asked(f, "/containers/web1/json", 2); /* which is it now? */
    run_for(f, 50);                            /* with that it is content */
    assert_asked(f, "/networks/net1/connect", 2);
    /* The next container gets an address of our own choice, a new one. */
    first = address_in(fake_engine_last(f->fake, CREATE_WEB));
    next_is(f, CREATE_WEB, "web2");
    inspected(f, "web2", "running", "\"app-s1\":{\"IPAddress\":\"x\"}");
    push_removal(f, "web1");
    wait_asked(f, CREATE_WEB, 2);
    second = address_in(fake_engine_last(f->fake, CREATE_WEB));
    assert_string_not_equal(first, second);
    wait_asked(f, "/containers/web2/json", 1);
    run_for(f, 50); /* the answer is read: it is on the network */
    inspected(f, "web2", "running", "");
    push_network_event(f, "disconnect", "web2");
    wait_asked(f, "/networks/net1/connect", 3);
    r = fake_engine_last(f->fake, "/networks/net1/connect");
    assert_non_null(strstr(r->body, second));
    ends_clean(f);
}

static void what_cannot_be_connected_is_said(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    wait_asked(f, "/events?filters=%7B%22network", 1);
    inspected(f, "web1", "running", "");
    answer(f, "POST", "/networks/net1/connect", 500,
           "{\"message\":\"no driver\"}");
    push_network_event(f, "disconnect", "web1");
    wait_event(f, "warning service web cannot be connected again: no driver\n"
                  "  docker kill web1 starts it anew");
    ends_clean(f);
}

static void container_started_again_is_looked_for_on_the_network(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    wait_asked(f, "/events?filters=%7B%22network", 1);
    inspected(f, "web1", "running", "");
    answer(f, "POST", "/networks/net1/connect", 200, NULL);
    push_exit(f, "web1", 1);
    wait_asked(f, "/containers/web1/start", 2);
    wait_asked(f, "/networks/net1/connect", 1);
    ends_clean(f);
}

static void removed_network_ends_the_session(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    wait_asked(f, "/events?filters=%7B%22network", 1);
    push_network_event(f, "destroy", "");
    wait_over(f);
    assert_int_equal(f->status, 1);
    assert_event(f, "error the session's network app-s1 was removed from "
                    "outside | without it no container reaches another | "
                    "start it again: cvx start");
    assert_event(f, "removed 2 0 0");
}

static void start_on_a_network_that_is_gone_ends_the_session(void **state)
{
    struct fix *f = *state;

    become_ready(f);
    answer(f, "POST", "/containers/web1/start", 404,
           "{\"message\":\"network app-s1 not found\"}");
    push_exit(f, "web1", 1);
    wait_over(f);
    assert_event(f, "error the session's network app-s1 was removed from "
                    "outside");
    assert_event(f, "removed 2 0 0");
}

static void engine_without_network_events_is_used_without_them(void **state)
{
    struct fix *f = *state;

    answer(f, "GET", "/events?filters=%7B%22network", 500,
           "{\"message\":\"network is an invalid filter\"}");
    become_ready(f);
    run_for(f, 300); /* longer than the pause before it listens again */
    assert_asked(f, "/events", 2);
    assert_string_equal("", strstr(str_c(&f->events), "warning") == NULL
                                ? ""
                                : str_c(&f->events));
    ends_clean(f);
}

/* ---- an engine that hangs ----------------------------------------------- */

#define PING_MS 50

/* It takes every connection and answers nothing, as under SIGSTOP. */
static void hang(struct fix *f)
{
    answer_never(f, NULL, "/");
}

static void hanging_engine_is_said_once_and_its_return_too(void **state)
{
    struct fix *f = *state;

    f->spec.ping_ms = PING_MS;
    become_ready(f);
    hang(f);
    wait_event(f, "does not answer (for 0.1 s now); waiting for it");
    run_for(f, 8 * PING_MS); /* more pings; it is said once */
    assert_int_equal(events_with(f, "does not answer"), 1);
    assert_no_event(f, "answers again");
    session_fix_script(f);
    wait_event(f, "warning the engine answers again, after 0.");
    run_for(f, 4 * PING_MS); /* and so is this */
    assert_int_equal(events_with(f, "answers again"), 1);
    assert_false(f->gone);
    finish(f);
    assert_event(f, "removed 2 1 0");
}

static void hanging_engine_is_not_asked_without_end(void **state)
{
    struct fix *f = *state;
    size_t before;

    f->spec.ping_ms = PING_MS;
    become_ready(f);
    hang(f);
    wait_event(f, "does not answer");
    before = fake_engine_requests(f->fake);
    run_for(f, 9 * PING_MS); /* three rounds of a pause and a deadline */
    assert_in_range(fake_engine_requests(f->fake), before + 2, before + 4);
    session_fix_script(f);
    finish(f);
}

static void stop_under_a_hanging_engine_names_what_is_left(void **state)
{
    struct fix *f = *state;

    f->spec.ping_ms = PING_MS;
    f->spec.limit_ms = 300;
    f->web->container.stop_grace_s = 0;
    become_ready(f);
    hang(f);
    wait_event(f, "does not answer");
    stop_it(f);
    wait_over(f);
    assert_int_equal(f->status, 1);
    assert_event(f, "error container app-s1-resource-db could not be removed");
    assert_event(f, "error container app-s1-web-1 could not be removed | the "
                    "engine did not do it in time | the next cvx start tries "
                    "again");
    assert_event(f, "error network app-s1 could not be removed");
    assert_event(f, "removed 0 0 0");
}

static void teardown_that_hangs_says_so_while_it_waits(void **state)
{
    struct fix *f = *state;

    f->spec.ping_ms = PING_MS;
    f->spec.limit_ms = 500;
    f->web->container.stop_grace_s = 0;
    become_ready(f);
    hang(f);
    stop_it(f);
    wait_event(f, "does not answer");
    assert_false(f->gone);
    wait_over(f);
}

static void engine_that_answers_is_pinged_in_silence(void **state)
{
    struct fix *f = *state;

    f->spec.ping_ms = PING_MS;
    become_ready(f);
    run_for(f, 5 * PING_MS); /* how many come in this time is counted */
    assert_in_range(fake_engine_asked(f->fake, "/_ping"), 3, 5);
    assert_no_event(f, "warning");
    finish(f);
}

/* ---- a full disk -------------------------------------------------------- */

#define FULL "write /x: no space left on device"
#define MEND "the disk is full: see cvx doctor and docker system df"

static void full_disk_at_the_start_says_what_to_do(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", "/containers/web1/start", 500,
           "{\"message\":\"" FULL "\"}");
    begin(f);
    wait_gone(f);
    assert_event(f, "error service web: cannot start its container | " FULL
                    " | " MEND);
}

static void full_disk_at_a_pull_says_what_to_do(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", CREATE_WEB, 404, "{\"message\":\"No such image\"}");
    answer(f, "POST", "/images/create", 200,
           "{\"errorDetail\":{\"message\":\"failed to register layer: " FULL
           "\"},\"error\":\"failed to register layer: " FULL "\"}\n");
    begin(f);
    wait_gone(f);
    assert_event(f, "error image web:1 cannot be pulled, needed by service web "
                    "| failed to register layer: " FULL " | " MEND);
}

static void full_disk_at_the_network_says_what_to_do(void **state)
{
    struct fix *f = *state;

    answer(f, "POST", "/networks/create", 500, "{\"message\":\"" FULL "\"}");
    begin(f);
    wait_over(f);
    assert_event(f, "error cannot create the session's network | " FULL
                    " | " MEND);
}

int main(void)
{
#define T(fn) SESSION_TEST(fn)
    const struct CMUnitTest tests[] = {
        T(service_removed_from_outside_is_made_again),
        T(resource_removed_from_outside_is_made_again),
        T(kill_without_a_removal_is_an_exit),
        T(container_removed_in_its_pause_is_made_again),
        T(container_removed_before_it_was_started_is_made_again),
        T(container_removed_while_files_are_put_gets_them_again),
        T(nothing_is_put_into_a_container_that_was_removed),
        T(container_removed_while_it_starts_is_made_again),
        T(container_removed_while_it_is_attached_is_made_again),
        T(own_removal_is_nobodys_doing),
        T(init_container_removed_after_its_work_is_not_missed),
        T(removed_again_and_again_before_it_is_ready_is_an_error),
        T(removal_ends_the_session_where_an_exit_does),
        T(container_made_again_has_the_port_it_had),
        T(what_the_engine_lost_while_away_is_made_again),
        T(memory_that_runs_out_is_the_reason),
        T(word_of_memory_may_come_after_the_exit),
        T(container_off_the_network_is_connected_again),
        T(end_of_a_container_is_no_disconnect),
        T(taken_address_is_given_up_for_another),
        T(what_cannot_be_connected_is_said),
        T(container_started_again_is_looked_for_on_the_network),
        T(removed_network_ends_the_session),
        T(start_on_a_network_that_is_gone_ends_the_session),
        T(engine_without_network_events_is_used_without_them),
        T(hanging_engine_is_said_once_and_its_return_too),
        T(hanging_engine_is_not_asked_without_end),
        T(stop_under_a_hanging_engine_names_what_is_left),
        T(teardown_that_hangs_says_so_while_it_waits),
        T(engine_that_answers_is_pinged_in_silence),
        T(full_disk_at_the_start_says_what_to_do),
        T(full_disk_at_a_pull_says_what_to_do),
        T(full_disk_at_the_network_says_what_to_do),
    };

    return cmocka_run_group_tests_name("session, survives", tests, NULL, NULL);
}
