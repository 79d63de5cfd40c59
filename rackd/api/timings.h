/*
 * timings -- what a start's time went into, kept for each app in the rack's
 * state: at ready it is put together and compared with former ones (history.h),
 * then stored.
 *
 *     t = timings_new(&run);          at ready
 *     timings_put_slower(t, event);   "usual" and "culprit", where it was slow
 *     timings_keep(t, store);         once everybody has been told
 *     timings_free(t);
 */
#ifndef API_TIMINGS_H
#define API_TIMINGS_H

struct app_run;
struct cJSON;
struct timings;

/* Of a session that has just become ready. */
struct timings *timings_new(const struct app_run *run);
void timings_put_slower(const struct timings *t, struct cJSON *event);

/* What cannot be stored is said in the log. */
void timings_keep(struct timings *t);
void timings_free(struct timings *t);

#endif /* API_TIMINGS_H */
