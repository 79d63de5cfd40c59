/* Random text from the kernel. Called for every id that rackd makes: of racks,
 * starts, releases and reapers, and for the databases' password. */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static unsigned char random_byte(void)
{
    unsigned char byte;
    ssize_t n;

    do
        n = getrandom(&byte, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        abort();
    return byte;
}

/* Bytes past the last whole multiple of the alphabet are thrown away: dividing
 * them as well would make its first letters likelier than the others. */
void random_text(char *out, size_t len, const char *alphabet)
{
    size_t letters = strlen(alphabet);

    for (size_t i = 0; i < len; i++) {
        unsigned char byte = random_byte();

        while (byte >= 256 - 256 % letters)
            byte = random_byte();
        out[i] = alphabet[byte % letters];
    }
    out[len] = '\0';
}
