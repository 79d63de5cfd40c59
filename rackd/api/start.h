/* start -- what others ask about the request that holds a start's lease. */
#ifndef API_START_H
#define API_START_H

#include <stddef.h>

struct app_run;

/* Bytes of events that the client of its lease has not read yet; 0 where
 * nobody is attached. For tests. */
size_t start_unread(const struct app_run *run);

#endif /* API_START_H */
