/*
 * TLS for two-way streams, by OpenSSL with memory BIOs. Requests go through
 * libcurl, which has its own; a hijacked stream cannot, because libcurl gives
 * no way to half-close it.
 */
#include "net/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/httpc.h"

struct tls {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out; /* the SSL's own */
};

/* OpenSSL would ask for a key's password on our terminal. */
static int no_password(char *buf, int size, int writing, void *user)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

static const char *why_not(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason == NULL ? "no reason is known" : reason;
}

static int bad_file(const char *path, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "cannot use %s for TLS: %s", path,
                   why_not());
}

static int load(SSL_CTX *ctx, const struct httpc_tls *paths, struct err *err)
{
    if (paths == NULL) {
        SSL_CTX_set_default_verify_paths(ctx);
        return 0;
    }
    if (SSL_CTX_load_verify_locations(ctx, paths->ca, NULL) != 1)
        return bad_file(paths->ca, err);
    if (SSL_CTX_use_certificate_chain_file(ctx, paths->cert) != 1)
        return bad_file(paths->cert, err);
    if (SSL_CTX_use_PrivateKey_file(ctx, paths->key, SSL_FILETYPE_PEM) != 1)
        return bad_file(paths->key, err);
    return 0;
}

/* An address is compared with the certificate's addresses, and is never sent
 * as the server's name: RFC 6066 forbids that. */
static void expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *want = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(want, host) == 1)
        return;
    X509_VERIFY_PARAM_set_hostflags(want, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set1_host(want, host, 0);
    SSL_set_tlsext_host_name(ssl, host);
}

int tls_new(struct tls **out, const char *host, const struct httpc_tls *paths,
            struct err *err)
{
    struct tls *t = xcalloc(1, sizeof(*t));

    ERR_clear_error();
    t->ctx = SSL_CTX_new(TLS_client_method());
    if (t->ctx == NULL)
        abort(); /* there is no memory */
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    SSL_CTX_set_default_passwd_cb(t->ctx, no_password);
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    if (load(t->ctx, paths, err) < 0) {
        tls_free(t);
        return -1;
    }
    t->ssl = SSL_new(t->ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (t->ssl == NULL || t->in == NULL || t->out == NULL)
        abort();
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_connect_state(t->ssl);
    expect_host(t->ssl, host);
    *out = t;
    return 0;
}

void tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl); /* and its BIOs */
    SSL_CTX_free(t->ctx);
    free(t);
}

static void take_output(struct tls *t, struct str *out)
{
    char *bytes;
    long len = BIO_get_mem_data(t->out, &bytes);

    if (len > 0)
        str_add_len(out, bytes, (size_t)len);
    BIO_reset(t->out);
}

/* Memory BIOs only ever want more to read; all else is an error. */
static bool is_error(const struct tls *t, int rc)
{
    int what = SSL_get_error(t->ssl, rc);

    return what != SSL_ERROR_WANT_READ && what != SSL_ERROR_ZERO_RETURN;
}

static int fail(const struct tls *t, struct err *err)
{
    long verified = SSL_get_verify_result(t->ssl);

    if (verified != X509_V_OK)
        return err_set(err, ERR_UNAVAILABLE, "its certificate: %s",
                       X509_verify_cert_error_string(verified));
    return err_set(err, ERR_UNAVAILABLE, "%s", why_not());
}

static int read_all(struct tls *t, struct str *plain)
{
    char block[16384]; /* a record holds no more */
    int n;

    if (!SSL_is_init_finished(t->ssl)) {
        n = SSL_do_handshake(t->ssl);
        if (n <= 0)
            return is_error(t, n) ? -1 : 0;
    }
    do {
        n = SSL_read(t->ssl, block, sizeof(block));
        if (n > 0)
            str_add_len(plain, block, (size_t)n);
    } while (n > 0);
    return is_error(t, n) ? -1 : 0;
}

int tls_take(struct tls *t, const char *data, size_t len, struct str *plain,
             struct str *out, struct err *err)
{
    int rc;

    ERR_clear_error();
    if (len > INT_MAX || (len > 0 && BIO_write(t->in, data, (int)len) <= 0))
        abort(); /* there is no memory */
    rc = read_all(t, plain);
    if (rc < 0)
        fail(t, err);
    take_output(t, out);
    return rc;
}

bool tls_is_open(const struct tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

bool tls_has_ended(const struct tls *t)
{
    return (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

/* What cannot be put is lost: then the connection is, and the reading side
 * will hear of it. */
void tls_put(struct tls *t, const char *data, size_t len, struct str *out)
{
    size_t written;

    ERR_clear_error();
    if (len > 0)
        SSL_write_ex(t->ssl, data, len, &written);
    take_output(t, out);
}

void tls_end(struct tls *t, struct str *out)
{
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    take_output(t, out);
}
