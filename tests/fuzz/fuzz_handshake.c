/* The first byte chooses the probe, the rest is what a server said. A verdict
 * must not change when more arrives. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum plan_probe probes[] = { PROBE_POSTGRES, PROBE_MYSQL,
                                              PROBE_REDIS, PROBE_MEMCACHED };
    const char *text = (const char *)data + 1;
    enum handshake first = HANDSHAKE_MORE;
    char why[64] = "";

    if (size < 2 || size > HANDSHAKE_MAX)
        return 0;
    size--;
    for (size_t n = 0; n <= size && first == HANDSHAKE_MORE; n++)
        first =
            handshake_answer(probes[data[0] % 4], text, n, why, sizeof(why));
    if (handshake_answer(probes[data[0] % 4], text, size, why, sizeof(why)) !=
            first ||
        memchr(why, '\0', sizeof(why)) == NULL)
        abort();
    return 0;
}
