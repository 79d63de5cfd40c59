#include "support/fake_tls.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct fake_tls {
    int listener, port;
    const char *answer;
    SSL_CTX *ctx;
    pthread_t thread;
    bool unnamed; /* the thread's, until it has ended */
};

static void make_certificate(SSL_CTX *ctx)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    if (X509_sign(cert, key, EVP_sha256()) == 0 ||
        SSL_CTX_use_certificate(ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey(ctx, key) != 1)
        abort();
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void serve(struct fake_tls *f, int fd)
{
    SSL *ssl = SSL_new(f->ctx);
    const char *name;
    char in[4096];

    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, in, sizeof(in)) > 0) {
        name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        f->unnamed =
            f->unnamed || name == NULL || strcmp(name, "localhost") != 0;
        SSL_write(ssl, f->answer, (int)strlen(f->answer));
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(fd);
}

/* shutdown() of the listener ends accept(), and with it the thread. */
static void *run(void *arg)
{
    struct fake_tls *f = arg;
    int fd = accept(f->listener, NULL, NULL);

    while (fd >= 0) {
        serve(f, fd);
        fd = accept(f->listener, NULL, NULL);
    }
    return NULL;
}

struct fake_tls *fake_tls_new(const char *answer)
{
    struct fake_tls *f = xcalloc(1, sizeof(*f));
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof(addr);

    f->answer = answer;
    f->ctx = SSL_CTX_new(TLS_server_method());
    make_certificate(f->ctx);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (f->listener < 0 ||
        bind(f->listener, (struct sockaddr *)&addr, len) < 0 ||
        listen(f->listener, 16) < 0 ||
        getsockname(f->listener, (struct sockaddr *)&addr, &len) < 0 ||
        pthread_create(&f->thread, NULL, run, f) != 0)
        abort();
    f->port = ntohs(addr.sin_port);
    return f;
}

int fake_tls_port(const struct fake_tls *f)
{
    return f->port;
}

bool fake_tls_close(struct fake_tls *f)
{
    bool named;

    shutdown(f->listener, SHUT_RDWR);
    pthread_join(f->thread, NULL);
    named = !f->unnamed;
    close(f->listener);
    SSL_CTX_free(f->ctx);
    free(f);
    return named;
}
