/* Base64 by OpenSSL, in the two forms that the engine uses: headers with logins
 * (auth.c) and BuildKit's messages (build.c). */
#include "engine/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Bytes. More than any header, and than any message of a build. */
#define BASE64_MAX ((size_t)16 << 20)

char *base64_url(const char *data, size_t len)
{
    char *text;

    if (len > BASE64_MAX)
        return xstrdup("");
    text = xcalloc(1, len / 3 * 4 + 5);
    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)data,
                    (int)len);
    for (char *p = text; *p != '\0'; p++) {
        if (*p == '+')
            *p = '-';
        else if (*p == '/')
            *p = '_';
    }
    return text;
}

bool base64_decode(struct str *out, const char *text)
{
    size_t len = strlen(text), pad = 0;
    unsigned char *data;
    int n;

    if (len > BASE64_MAX)
        return false;
    while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
        pad++;
    data = xcalloc(1, len / 4 * 3 + 4);
    n = EVP_DecodeBlock(data, (const unsigned char *)text, (int)len);
    if (n >= (int)pad)
        str_add_len(out, (const char *)data, (size_t)n - pad);
    OPENSSL_cleanse(data, len / 4 * 3 + 4);
    free(data);
    return n >= (int)pad;
}
