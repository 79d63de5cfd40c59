/* clock -- milliseconds since an arbitrary moment, for deadlines: setting the
 * machine's clock does not change it. */
#ifndef REAPER_CLOCK_H
#define REAPER_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

#endif /* REAPER_CLOCK_H */
