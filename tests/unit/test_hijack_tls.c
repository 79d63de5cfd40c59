/*
 * Two-way streams over TLS, against a real TLS server in a thread: who is
 * trusted, how either side ends, and that nothing is lost in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/hijack.h"
#include "net/httpc.h"
#include "support/looptest.h"

#define UPGRADED "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\n"
#define FLOOD    ((size_t)8 << 20)

/* What the server does once it has read the request's head. */
enum manner {
    ECHOES,       /* until the client's end; then "bye" and an end in order */
    CUTS,         /* some bytes, and no word of an end */
    ENDS,         /* some bytes and an end in order, all in one go */
    FLOODS,       /* FLOOD bytes, then an end in order */
    SPEAKS_PLAIN, /* no TLS at all */
    HANGS_UP,     /* before the handshake */
    REFUSES,      /* an HTTP error */
};

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

struct fix {
    uv_loop_t loop;
    char dir[64];
    char *ca, *other_ca, *cert, *key, *stranger_cert, *stranger_key;
    struct identity root, other, server, client, stranger;
    SSL_CTX *ctx;
    enum manner manner;
    int listener, port;
    pthread_t thread;
    bool running;
    struct str heard; /* by the server; read it when the thread has ended */
    bool heard_end;   /* a word of it, not a cut */
    struct hijack *h;
    struct str data;
    bool opened, ended, pause_in_open;
    int opens, ends;
    long status;
    struct err err;
};

/* ---- certificates -------------------------------------------------------- */

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(ext);
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
}

/* `names` NULL: a CA, signed by itself. */
static struct identity make_identity(const struct identity *ca, const char *cn,
                                     const char *names)
{
    struct identity id = { EVP_EC_gen("P-256"), X509_new() };
    X509_NAME *name = X509_get_subject_name(id.cert);
    static long serial = 1;

    X509_set_version(id.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), serial++);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(id.cert,
                         ca == NULL ? name : X509_get_subject_name(ca->cert));
    X509_gmtime_adj(X509_getm_notBefore(id.cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), 3600);
    X509_set_pubkey(id.cert, id.key);
    if (ca == NULL)
        add_extension(id.cert, NID_basic_constraints, "critical,CA:TRUE");
    else
        add_extension(id.cert, NID_subject_alt_name, names);
    assert_true(
        X509_sign(id.cert, ca == NULL ? id.key : ca->key, EVP_sha256()) > 0);
    return id;
}

static void identity_release(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

static char *save_cert(struct fix *f, const char *name,
                       const struct identity *id)
{
    char *path = xasprintf("%s/%s.pem", f->dir, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    PEM_write_X509(file, id->cert);
    fclose(file);
    return path;
}

static char *save_key(struct fix *f, const char *name,
                      const struct identity *id)
{
    char *path = xasprintf("%s/%s.key", f->dir, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    PEM_write_PrivateKey(file, id->key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    return path;
}

/* ---- the server ---------------------------------------------------------- */

static void say(SSL *ssl, const char *text)
{
    SSL_write(ssl, text, (int)strlen(text));
}

static void echo(struct fix *f, SSL *ssl)
{
    char buf[65536];
    int n;

    while ((n = SSL_read(ssl, buf, sizeof(buf))) > 0) {
        str_add_len(&f->heard, buf, (size_t)n);
        SSL_write(ssl, buf, n);
    }
    f->heard_end = SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN;
    say(ssl, "bye");
    SSL_shutdown(ssl);
}

static void flood(SSL *ssl)
{
    static char block[65536];

    for (size_t sent = 0; sent < FLOOD; sent += sizeof(block))
        if (SSL_write(ssl, block, sizeof(block)) <= 0)
            return;
    SSL_shutdown(ssl);
}

static void converse(struct fix *f, SSL *ssl)
{
    char head[4096];
    int n = SSL_read(ssl, head, sizeof(head) - 1);

    if (n <= 0)
        return;
    head[n] = '\0';
    if (f->manner == REFUSES) {
        say(ssl, "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing");
        return;
    }
    if (f->manner == ENDS) {
        say(ssl, UPGRADED "last words");
        SSL_shutdown(ssl);
        return;
    }
    say(ssl, UPGRADED "hello");
    if (f->manner == ECHOES)
        echo(f, ssl);
    else if (f->manner == FLOODS)
        flood(ssl);
}

static void serve(struct fix *f, int fd)
{
    SSL *ssl;
    char buf[4096];

    if (f->manner == HANGS_UP)
        return;
    if (f->manner == SPEAKS_PLAIN) {
        (void)!read(fd, buf, sizeof(buf));
        (void)!write(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
        return;
    }
    ssl = SSL_new(f->ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        converse(f, ssl);
    } else { /* closed with bytes unread, a reset would overtake the reason */
        shutdown(fd, SHUT_WR);
        while (read(fd, buf, sizeof(buf)) > 0) {
        }
    }
    SSL_free(ssl);
}

/* shutdown() of the listener ends accept(), and with it the thread. */
static void *run(void *arg)
{
    struct fix *f = arg;
    int fd;

    while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
        serve(f, fd);
        close(fd);
    }
    return NULL;
}

static void stop_server(struct fix *f)
{
    if (!f->running)
        return;
    f->running = false;
    shutdown(f->listener, SHUT_RDWR);
    pthread_join(f->thread, NULL);
    close(f->listener);
}

static void start_server(struct fix *f, enum manner manner)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof(addr);

    f->manner = manner;
    f->listener = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(f->listener, 8), 0);
    getsockname(f->listener, (struct sockaddr *)&addr, &len);
    f->port = ntohs(addr.sin_port);
    f->running = true;
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
}

static void present(struct fix *f, const struct identity *server)
{
    SSL_CTX_use_certificate(f->ctx, server->cert);
    SSL_CTX_use_PrivateKey(f->ctx, server->key);
}

/* ---- the fixture --------------------------------------------------------- */

static int setup(void **state)
{
    struct fix *f = xcalloc(1, sizeof(*f));

    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&f->loop);
    snprintf(f->dir, sizeof(f->dir), "/tmp/hijack-tls-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->root = make_identity(NULL, "root", NULL);
    f->other = make_identity(NULL, "other root", NULL);
    f->server = make_identity(&f->root, "server", "IP:127.0.0.1,DNS:localhost");
    f->client = make_identity(&f->root, "client", "DNS:client");
    f->stranger = make_identity(&f->other, "stranger", "DNS:stranger");
    f->ca = save_cert(f, "ca", &f->root);
    f->other_ca = save_cert(f, "other", &f->other);
    f->cert = save_cert(f, "client", &f->client);
    f->key = save_key(f, "client", &f->client);
    f->stranger_cert = save_cert(f, "stranger", &f->stranger);
    f->stranger_key = save_key(f, "stranger", &f->stranger);
    f->ctx = SSL_CTX_new(TLS_server_method());
    present(f, &f->server);
    SSL_CTX_load_verify_locations(f->ctx, f->ca, NULL);
    SSL_CTX_set_verify(f->ctx,
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;
    char *const paths[] = { f->ca,  f->other_ca,      f->cert,
                            f->key, f->stranger_cert, f->stranger_key };

    if (f->h != NULL)
        hijack_close(f->h);
    assert_true(loop_ends_clean(&f->loop));
    stop_server(f);
    SSL_CTX_free(f->ctx);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        unlink(paths[i]);
        free(paths[i]);
    }
    rmdir(f->dir);
    identity_release(&f->root);
    identity_release(&f->other);
    identity_release(&f->server);
    identity_release(&f->client);
    identity_release(&f->stranger);
    str_release(&f->heard);
    str_release(&f->data);
    assert_true(f->ends <= 1);
    free(f);
    return 0;
}

static void on_open(struct hijack *h, void *user)
{
    struct fix *f = user;

    f->opens++;
    f->opened = true;
    if (f->pause_in_open)
        hijack_pause(h, true);
}

static void on_data(struct hijack *h, const char *data, size_t len, void *user)
{
    (void)h;
    str_add_len(&((struct fix *)user)->data, data, len);
}

static void on_end(struct hijack *h, long status, const struct err *err,
                   void *user)
{
    struct fix *f = user;

    (void)h;
    f->ends++;
    f->ended = true;
    f->status = status;
    if (err != NULL)
        f->err = *err;
    f->h = NULL;
}

static void start_as(struct fix *f, const char *host,
                     const struct httpc_tls *tls)
{
    cleanup_free char *endpoint = xasprintf("tcp://%s:%d", host, f->port);

    f->h = hijack_start(&f->loop, &(struct hijack_spec){ .endpoint = endpoint,
                                                         .tls = tls,
                                                         .path = "/attach",
                                                         .on_open = on_open,
                                                         .on_data = on_data,
                                                         .on_end = on_end,
                                                         .user = f });
    assert_int_equal(f->opens + f->ends, 0); /* never from inside */
}

static void start(struct fix *f)
{
    const struct httpc_tls tls = { .ca = f->ca,
                                   .cert = f->cert,
                                   .key = f->key };

    start_as(f, "127.0.0.1", &tls);
}

static bool wait_for(struct fix *f, const bool *what)
{
    for (int i = 0; i < 500 && !*what; i++)
        loop_run_for(&f->loop, 10);
    return *what;
}

static bool gets(struct fix *f, const char *text)
{
    for (int i = 0; i < 500 && strcmp(str_c(&f->data), text) != 0; i++)
        loop_run_for(&f->loop, 10);
    if (strcmp(str_c(&f->data), text) != 0)
        print_message("got: %s\n", str_c(&f->data));
    return strcmp(str_c(&f->data), text) == 0;
}

static void fails(struct fix *f, const char *why)
{
    assert_true(wait_for(f, &f->ended));
    assert_int_equal(f->opens, 0);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    if (strstr(f->err.msg, why) == NULL)
        fail_msg("%s", f->err.msg);
}

/* ---- tests --------------------------------------------------------------- */

static void bytes_go_both_ways_over_tls(void **state)
{
    struct fix *f = *state;

    start_server(f, ECHOES);
    start(f);
    assert_true(gets(f, "hello"));
    hijack_write(f->h, " you", 4);
    assert_true(gets(f, "hello you"));
    assert_int_equal(f->ends, 0);
}

static void server_is_found_by_name_too(void **state)
{
    struct fix *f = *state;
    const struct httpc_tls tls = { .ca = f->ca,
                                   .cert = f->cert,
                                   .key = f->key };

    start_server(f, ECHOES);
    start_as(f, "localhost", &tls);
    assert_true(gets(f, "hello"));
}

/* The lease hangs on this: the engine hears our end, we still hear it. */
static void half_close_is_a_word_and_ends_only_our_side(void **state)
{
    struct fix *f = *state;

    start_server(f, ECHOES);
    start(f);
    hijack_write(f->h, "early", 5);
    hijack_shutdown(f->h);
    hijack_shutdown(f->h); /* twice is once */
    assert_int_equal(hijack_write(f->h, "more", 4), 0);
    assert_true(wait_for(f, &f->ended));
    assert_string_equal(str_c(&f->data), "helloearlybye");
    assert_int_equal(f->err.code, ERR_NONE);
    assert_int_equal(f->status, 101);
    stop_server(f);
    assert_string_equal(str_c(&f->heard), "early");
    assert_true(f->heard_end);
}

static void closing_is_heard_by_the_server(void **state)
{
    struct fix *f = *state;

    start_server(f, ECHOES);
    start(f);
    assert_true(gets(f, "hello"));
    hijack_close(f->h);
    f->h = NULL;
    loop_run_for(&f->loop, 20);
    stop_server(f); /* or its thread would wait for ever */
    assert_int_equal(f->ends, 0);
}

static void much_passes_unharmed(void **state)
{
    struct fix *f = *state;
    size_t size = 4 << 20;
    cleanup_free char *big = xcalloc(1, size);

    for (size_t i = 0; i < size; i++)
        big[i] = (char)(i * 7 + i / 251);
    start_server(f, ECHOES);
    start(f);
    assert_true(gets(f, "hello"));
    hijack_write(f->h, big, size);
    hijack_shutdown(f->h); /* waits for what is queued */
    assert_true(wait_for(f, &f->ended));
    assert_int_equal(f->data.len, 5 + size + 3);
    assert_memory_equal(f->data.s + 5, big, size);
}

static void paused_stream_holds_the_server_back(void **state)
{
    struct fix *f = *state;
    size_t before;

    f->pause_in_open = true;
    start_server(f, FLOODS);
    start(f);
    assert_true(wait_for(f, &f->opened));
    before = f->data.len;
    loop_run_for(&f->loop, 100);
    assert_int_equal(f->data.len, before);
    assert_int_equal(f->ends, 0);
    hijack_pause(f->h, false);
    assert_true(wait_for(f, &f->ended));
    assert_int_equal(f->data.len, 5 + FLOOD);
    assert_int_equal(f->err.code, ERR_NONE);
}

static void end_does_not_overtake_what_came_before(void **state)
{
    struct fix *f = *state;

    f->pause_in_open = true;
    start_server(f, ENDS);
    start(f);
    assert_true(wait_for(f, &f->opened));
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->ends, 0);
    hijack_pause(f->h, false);
    assert_true(wait_for(f, &f->ended));
    assert_string_equal(str_c(&f->data), "last words");
    assert_int_equal(f->err.code, ERR_NONE);
}

static void end_without_a_word_is_a_cut(void **state)
{
    struct fix *f = *state;

    start_server(f, CUTS);
    start(f);
    assert_true(wait_for(f, &f->ended));
    assert_string_equal(str_c(&f->data), "hello");
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.msg, "connection lost"));
}

static void http_error_comes_through(void **state)
{
    struct fix *f = *state;

    start_server(f, REFUSES);
    start(f);
    assert_true(wait_for(f, &f->ended));
    assert_int_equal(f->status, 404);
    assert_string_equal(f->err.msg, "nothing");
}

static void server_of_another_ca_is_not_trusted(void **state)
{
    struct fix *f = *state;
    const struct httpc_tls tls = { .ca = f->other_ca,
                                   .cert = f->cert,
                                   .key = f->key };

    start_server(f, ECHOES);
    start_as(f, "127.0.0.1", &tls);
    fails(f, "its certificate: self-signed certificate in certificate chain");
    stop_server(f);
    assert_int_equal(f->heard.len, 0);
}

static void server_of_another_name_is_not_trusted(void **state)
{
    struct fix *f = *state;
    struct identity elsewhere =
        make_identity(&f->root, "127.0.0.1", "DNS:elsewhere,IP:127.0.0.2");

    present(f, &elsewhere);
    start_server(f, ECHOES);
    start(f);
    fails(f, "its certificate: IP address mismatch");
    identity_release(&elsewhere);
}

static void client_without_a_good_certificate_is_turned_away(void **state)
{
    struct fix *f = *state;
    const struct httpc_tls tls = { .ca = f->ca,
                                   .cert = f->stranger_cert,
                                   .key = f->stranger_key };

    start_server(f, ECHOES);
    start_as(f, "127.0.0.1", &tls);
    fails(f, "no TLS with 127.0.0.1");
}

static void client_without_any_certificate_is_turned_away(void **state)
{
    struct fix *f = *state;
    cleanup_free char *endpoint = NULL;

    start_server(f, ECHOES);
    setenv("SSL_CERT_FILE", f->ca, 1); /* the system's, for this test */
    endpoint = xasprintf("https://127.0.0.1:%d", f->port);
    f->h = hijack_start(&f->loop, &(struct hijack_spec){ .endpoint = endpoint,
                                                         .path = "/attach",
                                                         .on_open = on_open,
                                                         .on_data = on_data,
                                                         .on_end = on_end,
                                                         .user = f });
    fails(f, "certificate required");
    unsetenv("SSL_CERT_FILE");
}

static void missing_files_are_named(void **state)
{
    struct fix *f = *state;
    const struct httpc_tls tls = { .ca = "/nonexistent/ca.pem",
                                   .cert = f->cert,
                                   .key = f->key };
    const struct httpc_tls mixed = { .ca = f->ca,
                                     .cert = f->cert,
                                     .key = f->stranger_key };

    f->port = 1; /* it is not even asked */
    start_as(f, "127.0.0.1", &tls);
    fails(f, "/nonexistent/ca.pem");
    f->ends = 0;
    f->ended = false;
    start_as(f, "127.0.0.1", &mixed);
    fails(f, "key values mismatch");
}

static void server_that_speaks_no_tls_is_told_of(void **state)
{
    struct fix *f = *state;

    start_server(f, SPEAKS_PLAIN);
    start(f);
    fails(f, "wrong version number");
}

static void server_that_hangs_up_is_unavailable(void **state)
{
    struct fix *f = *state;

    start_server(f, HANGS_UP);
    start(f);
    fails(f, "connection lost");
}

static void closed_during_the_handshake_calls_nobody(void **state)
{
    struct fix *f = *state;

    start_server(f, ECHOES);
    start(f);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    hijack_close(f->h);
    f->h = NULL;
    loop_run_for(&f->loop, 50);
    assert_int_equal(f->opens + f->ends, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(bytes_go_both_ways_over_tls),
        T(server_is_found_by_name_too),
        T(half_close_is_a_word_and_ends_only_our_side),
        T(closing_is_heard_by_the_server),
        T(much_passes_unharmed),
        T(paused_stream_holds_the_server_back),
        T(end_does_not_overtake_what_came_before),
        T(end_without_a_word_is_a_cut),
        T(http_error_comes_through),
        T(server_of_another_ca_is_not_trusted),
        T(server_of_another_name_is_not_trusted),
        T(client_without_a_good_certificate_is_turned_away),
        T(client_without_any_certificate_is_turned_away),
        T(missing_files_are_named),
        T(server_that_speaks_no_tls_is_told_of),
        T(server_that_hangs_up_is_unavailable),
        T(closed_during_the_handshake_calls_nobody),
    };

    return cmocka_run_group_tests_name("hijack over TLS", tests, NULL, NULL);
}
