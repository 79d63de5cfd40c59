/*
 * Makes a key and a self-signed certificate with OpenSSL. template_make.c puts
 * them into a template whose database offers TLS.
 */
#include "run/template_cert.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/err.h"
#include "base/str.h"

#define TEN_YEARS_S 315360000L

static bool fill(X509 *cert, EVP_PKEY *key, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(cert);

    return X509_set_version(cert, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), 0) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), TEN_YEARS_S) != NULL &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                      (const unsigned char *)name, -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1 &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

static bool print(struct str *out, X509 *cert, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text = NULL;
    long len = 0;

    if (bio != NULL &&
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
        PEM_write_bio_X509(bio, cert) == 1)
        len = BIO_get_mem_data(bio, &text);
    if (len > 0)
        str_add_len(out, text, (size_t)len);
    BIO_free(bio);
    return len > 0;
}

int template_cert(struct str *out, const char *name, struct err *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    bool made = key != NULL && cert != NULL && fill(cert, key, name) &&
                print(out, cert, key);

    X509_free(cert);
    EVP_PKEY_free(key);
    return made ? 0
                : err_set(err, ERR_SYSTEM,
                          "no TLS certificate for %s could be made", name);
}
