#include "probe/tls_probe.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

struct tls_probe {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    char *request;
    bool up;
};

struct tls_probe *tls_probe_new(const char *request)
{
    struct tls_probe *t = xcalloc(1, sizeof(*t));

    t->request = xstrdup(request);
    t->ctx = SSL_CTX_new(TLS_client_method());
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (t->ctx == NULL || t->in == NULL || t->out == NULL)
        abort(); /* no memory */
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_NONE, NULL);
    t->ssl = SSL_new(t->ctx);
    if (t->ssl == NULL)
        abort();
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_connect_state(t->ssl);
    SSL_set_tlsext_host_name(t->ssl, "localhost");
    return t;
}

/* Wanting more input is fine, and so is the end of the connection. */
static int check(struct tls_probe *t, int rc, struct err *err)
{
    int why = SSL_get_error(t->ssl, rc);
    const char *text;

    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_ZERO_RETURN)
        return 0;
    text = ERR_reason_error_string(ERR_get_error());
    return err_set(err, ERR_PROTOCOL, "TLS: %s",
                   text == NULL ? "the handshake failed" : text);
}

int tls_probe_feed(struct tls_probe *t, const char *data, size_t len,
                   struct str *plain, struct err *err)
{
    char block[4096];
    int rc;

    ERR_clear_error();
    BIO_write(t->in, data, (int)len);
    if (!t->up) {
        rc = SSL_do_handshake(t->ssl);
        if (rc != 1)
            return check(t, rc, err);
        t->up = true;
        SSL_write(t->ssl, t->request, (int)strlen(t->request));
    }
    for (;;) {
        rc = SSL_read(t->ssl, block, sizeof(block));
        if (rc <= 0)
            return check(t, rc, err);
        str_add_len(plain, block, (size_t)rc);
    }
}

void tls_probe_take(struct tls_probe *t, struct str *out)
{
    char *data;
    long len = BIO_get_mem_data(t->out, &data);

    if (len > 0)
        str_add_len(out, data, (size_t)len);
    BIO_reset(t->out);
}

void tls_probe_free(struct tls_probe *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    free(t->request);
    free(t);
}
