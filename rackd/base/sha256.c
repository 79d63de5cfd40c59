/* SHA-256 through OpenSSL. Called where a digest is stored or shown: by
 * engine/find.c, guard/owner.c and run/template.c. */
#include "base/sha256.h"

#include <openssl/sha.h>

void sha256_hex(const void *data, size_t len, char *out, size_t digits)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char sum[SHA256_DIGEST_LENGTH];

    SHA256(data, len, sum);
    for (size_t i = 0; i < digits && i < SHA256_HEX_LEN; i++)
        out[i] = hex[i % 2 == 0 ? sum[i / 2] >> 4 : sum[i / 2] & 15];
    out[digits < SHA256_HEX_LEN ? digits : SHA256_HEX_LEN] = '\0';
}
