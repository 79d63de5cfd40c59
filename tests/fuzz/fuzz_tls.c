/*
 * The client's side of TLS against a real server's, both in memory. Each byte
 * of the input is a step: one of them says something or ends its side, some of
 * what is under way arrives, or it is damaged first. What arrives undamaged
 * must be what was said.
 */
#include "net/tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "net/httpc.h"

static SSL_CTX *server_ctx;
static char cert_path[] = "/tmp/fuzz-tls-XXXXXX";
static char key_path[] = "/tmp/fuzz-tls-XXXXXX";

struct talk {
    struct tls *client;
    SSL *server;
    BIO *in, *out;                   /* the server's */
    struct str to_client, to_server; /* under way */
    struct str said, heard;          /* by the server, by the client */
    bool damaged, ended, failed;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void save(EVP_PKEY *key, X509 *cert)
{
    FILE *file = fdopen(mkstemp(cert_path), "w");

    PEM_write_X509(file, cert);
    fclose(file);
    file = fdopen(mkstemp(key_path), "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
}

static void begin(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");

    X509_set_version(cert, 2);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"fuzz", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 360000);
    X509_set_pubkey(cert, key);
    X509_add_ext(cert, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(cert, key, EVP_sha256());
    save(key, cert);
    server_ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server_ctx, cert);
    SSL_CTX_use_PrivateKey(server_ctx, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void take_server_output(struct talk *t)
{
    char *bytes;
    long len = BIO_get_mem_data(t->out, &bytes);

    if (len > 0)
        str_add_len(&t->to_client, bytes, (size_t)len);
    BIO_reset(t->out);
}

static void client_gets(struct talk *t, size_t len)
{
    struct err err;
    struct str piece = { 0 };

    if (t->failed)
        return;
    if (len > t->to_client.len)
        len = t->to_client.len;
    str_add_len(&piece, str_c(&t->to_client), len);
    if (len > 0)
        str_drop(&t->to_client, len);
    t->failed = tls_take(t->client, str_c(&piece), len, &t->heard,
                         &t->to_server, &err) < 0;
    if (t->failed && err.msg[0] == '\0')
        abort();
    if (t->failed && !t->damaged)
        abort();
    str_release(&piece);
}

static void server_gets(struct talk *t, size_t len)
{
    char buf[4096];

    if (len > t->to_server.len)
        len = t->to_server.len;
    if (len > 0) {
        BIO_write(t->in, t->to_server.s, (int)len);
        str_drop(&t->to_server, len);
    }
    while (SSL_read(t->server, buf, sizeof(buf)) > 0) {
    }
    take_server_output(t);
}

static void server_says(struct talk *t, const char *text, size_t len)
{
    size_t done;

    if (len > 0 && !t->ended && SSL_is_init_finished(t->server) &&
        SSL_write_ex(t->server, text, len, &done) == 1)
        str_add_len(&t->said, text, done);
    take_server_output(t);
}

static void damage(struct talk *t, uint8_t how)
{
    if (t->to_client.len == 0)
        return;
    t->damaged = true;
    t->to_client.s[how % t->to_client.len] ^= (char)(1 << how % 8);
}

static void step(struct talk *t, uint8_t what, const char *rest, size_t len)
{
    size_t some = (size_t)1 << what / 16; /* up to 32 KiB */

    switch (what % 8) {
    case 0:
    case 1:
        client_gets(t, some);
        break;
    case 2:
    case 3:
        server_gets(t, some);
        break;
    case 4:
        server_says(t, rest, some < len ? some : len);
        break;
    case 5:
        if (tls_is_open(t->client))
            tls_put(t->client, rest, some < len ? some : len, &t->to_server);
        break;
    case 6:
        if (what < 128 && tls_is_open(t->client)) {
            tls_end(t->client, &t->to_server);
        } else if (SSL_is_init_finished(t->server)) {
            t->ended = true;
            SSL_shutdown(t->server);
            take_server_output(t);
        }
        break;
    default:
        if (what >= 128)
            damage(t, what);
        else if (SSL_is_init_finished(t->server))
            SSL_key_update(t->server, SSL_KEY_UPDATE_REQUESTED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct httpc_tls paths = { cert_path, cert_path, key_path };
    struct talk t = { 0 };
    struct err err;

    if (size > 2048)
        return 0;
    if (server_ctx == NULL)
        begin();
    if (tls_new(&t.client, "127.0.0.1", &paths, &err) < 0)
        abort();
    t.server = SSL_new(server_ctx);
    t.in = BIO_new(BIO_s_mem());
    t.out = BIO_new(BIO_s_mem());
    SSL_set_bio(t.server, t.in, t.out);
    SSL_set_accept_state(t.server);
    client_gets(&t, 0);
    for (size_t i = 0; i < size; i++)
        step(&t, data[i], (const char *)data + i, size - i);
    for (int i = 0; i < 4 && !t.damaged; i++) {
        server_gets(&t, SIZE_MAX);
        client_gets(&t, SIZE_MAX);
    }
    if (t.heard.len > t.said.len || (!t.damaged && t.heard.len != t.said.len) ||
        (t.heard.len > 0 && memcmp(t.heard.s, t.said.s, t.heard.len) != 0))
        abort();
    if (!t.damaged && t.ended != tls_has_ended(t.client))
        abort();
    tls_free(t.client);
    SSL_free(t.server);
    str_release(&t.to_client);
    str_release(&t.to_server);
    str_release(&t.said);
    str_release(&t.heard);
    return 0;
}
