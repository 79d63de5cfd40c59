/*
 * routes -- cvx's requests: the one list of them. PROTOCOL.md says what each
 * takes and answers; {name} is a segment that its handler asks for with
 * web_arg(). rack.c makes the table of it; `user` of a handler is the struct
 * api.
 */
#ifndef API_ROUTES_H
#define API_ROUTES_H

struct web_req;

#define API_ROUTES(ROUTE)                                                      \
    /* rackd.c */                                                              \
    ROUTE("GET", "/version", on_version)                                       \
    ROUTE("POST", "/quit", on_quit)                                            \
    /* validate.c */                                                           \
    ROUTE("POST", "/validate", on_validate)                                    \
    ROUTE("POST", "/plan", on_plan)                                            \
    /* start.c, stop.c */                                                      \
    ROUTE("POST", "/start", on_start)                                          \
    ROUTE("POST", "/sessions/{id}/stop", on_session_stop)                      \
    ROUTE("POST", "/apps/{app}/stop", on_app_stop)                             \
    /* list.c */                                                               \
    ROUTE("GET", "/sessions", on_sessions)                                     \
    ROUTE("GET", "/ps", on_ps)                                                 \
    ROUTE("GET", "/services", on_services)                                     \
    ROUTE("GET", "/resources", on_resources)                                   \
    /* reset.c, logs.c, env.c, doctor.c, sweep.c */                            \
    ROUTE("POST", "/resources/reset", on_reset)                                \
    ROUTE("GET", "/logs", on_logs)                                             \
    ROUTE("GET", "/env", on_env_get)                                           \
    ROUTE("POST", "/env", on_env_set)                                          \
    ROUTE("POST", "/doctor", on_doctor)                                        \
    ROUTE("POST", "/sweep", on_sweep)                                          \
    /* templates.c, timings.c */                                               \
    ROUTE("POST", "/templates", on_templates)                                  \
    ROUTE("POST", "/templates/build", on_templates_build)                      \
    ROUTE("POST", "/templates/prune", on_templates_prune)                      \
    ROUTE("GET", "/timings", on_timings)

#define API_HANDLER(method, path, handler)                                     \
    void handler(struct web_req *req, void *user);
API_ROUTES(API_HANDLER)
#undef API_HANDLER

#endif /* API_ROUTES_H */
