/*
 * handlers -- cvx's requests, one function each (PROTOCOL.md says what they
 * take and answer). rack.c's table of routes calls them; `user` is the struct
 * api.
 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

struct web_req;

/* doctor.c */
void on_doctor(struct web_req *req, void *user);
/* env.c */
void on_env_get(struct web_req *req, void *user);
void on_env_set(struct web_req *req, void *user);
/* list.c */
void on_sessions(struct web_req *req, void *user);
void on_ps(struct web_req *req, void *user);
void on_services(struct web_req *req, void *user);
void on_resources(struct web_req *req, void *user);
/* logs.c */
void on_logs(struct web_req *req, void *user);
/* rackd.c */
void on_version(struct web_req *req, void *user);
void on_quit(struct web_req *req, void *user);
/* reset.c */
void on_reset(struct web_req *req, void *user);
/* start.c */
void on_start(struct web_req *req, void *user);
/* stop.c */
void on_session_stop(struct web_req *req, void *user);
void on_app_stop(struct web_req *req, void *user);
/* sweep.c */
void on_sweep(struct web_req *req, void *user);
/* templates.c */
void on_templates(struct web_req *req, void *user);
void on_templates_build(struct web_req *req, void *user);
void on_templates_prune(struct web_req *req, void *user);
/* timings.c */
void on_timings(struct web_req *req, void *user);
/* validate.c */
void on_validate(struct web_req *req, void *user);
void on_plan(struct web_req *req, void *user);

#endif /* API_HANDLERS_H */
