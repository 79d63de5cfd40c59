/*
 * What a session says: events to whoever watches it, lines of our own in its
 * log, and the labels that mark what it makes. Called from all of run/.
 */
#include <time.h>

#include "base/label.h"
#include "base/str.h"
#include "base/strv.h"
#include "logs/hub.h"
#include "run/session.h"
#include "run/session_parts.h"

uint64_t session_ms(const struct session *s)
{
    return uv_now(s->spec.loop) - s->started;
}

void session_emit(struct session *s, struct session_event *event)
{
    event->ms = session_ms(s);
    s->spec.on_event(event, s->spec.user);
}

void session_warn(struct session *s, const char *fmt, ...)
{
    cleanup_str struct str text = { 0 };
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    session_emit(s, &(struct session_event){ .type = SESSION_EVENT_WARNING,
                                             .text = str_c(&text) });
}

void session_say(struct session *s, const char *tag, const char *source,
                 const char *fmt, ...)
{
    cleanup_str struct str text = { 0 };
    struct timespec now;
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    clock_gettime(CLOCK_REALTIME, &now);
    hub_put(s->spec.hub, &(struct hub_text){ .tag = tag,
                                             .source = source,
                                             .time_ms = now.tv_sec * 1000LL +
                                                        now.tv_nsec / 1000000,
                                             .text = str_c(&text),
                                             .len = text.len });
}

void session_labels(const struct session *s, struct strv *out, const char *kind,
                    const char *name)
{
    strv_printf(out, LABEL_RACK "=%s", s->rack_id);
    strv_printf(out, LABEL_OWNER "=%s", s->owner);
    strv_printf(out, LABEL_SESSION "=%s", s->id);
    strv_printf(out, LABEL_APP "=%s", s->spec.plan->app);
    strv_printf(out, LABEL_KIND "=%s", kind);
    strv_printf(out, LABEL_NAME "=%s", name);
    strv_printf(out, LABEL_RELEASE "=%s", s->release);
}
