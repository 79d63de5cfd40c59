/* The table of resource types. A new type is a row here; everything else
 * (parsing, planning, `did you mean`, the list in messages) reads this
 * table. */
#include "plan/resource_type.h"

#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "base/str.h"

#define POSTGRES_URL                                                           \
    "postgres://{user}:{pass}@{host}:{port}/{name}?sslmode=disable"
#define POSTGRES_ENV                                                           \
    "POSTGRES_USER={user}\nPOSTGRES_PASSWORD={pass}\nPOSTGRES_DB={name}"
/* Kept data lies in a subdirectory: initdb wants an empty directory, and the
 * root of a volume may contain lost+found. Naming it also keeps postgres 18 and
 * later, which changed their default, at the same place. */
#define POSTGRES_DATA     "/var/lib/postgresql/data"
#define POSTGRES_KEPT_ENV "PGDATA=" POSTGRES_DATA "/pgdata"
#define POSTGRES_SCRATCH                                                       \
    "-c\nfsync=off\n-c\nfull_page_writes=off\n-c\nsynchronous_commit=off"

/* Where data lies in a template: outside every VOLUME of the image, so that it
 * becomes part of the image and each container changes its own copy. */
#define TEMPLATE_DATA     "/cvx/data"
#define POSTGRES_TEMPLATE "PGDATA=" TEMPLATE_DATA
#define MYSQL_TEMPLATE    "--datadir=" TEMPLATE_DATA

#define MYSQL_URL "mysql://{user}:{pass}@{host}:{port}/{name}"
/* The entrypoint of the image grants the user its own database only. Test
 * suites want to create more. */
#define MYSQL_GRANT "GRANT ALL ON *.* TO 'app'@'%';\n"

/* The empty line after --save is an empty argument: no snapshots. */
#define REDIS_SCRATCH "--save\n\n--appendonly\nno"
#define REDIS_KEPT    "--appendonly\nyes"

static const struct resource_type types[] = {
    {
        .kind = "postgres",
        .aliases = { "rds-postgres" },
        .image = "postgres",
        .version = "17",
        .standin = "postgres",
        .port = 5432,
        .probe = PROBE_POSTGRES,
        .url = POSTGRES_URL,
        .has_login = true,
        .env = POSTGRES_ENV,
        .data = POSTGRES_DATA,
        .kept_env = POSTGRES_KEPT_ENV,
        .scratch_args = POSTGRES_SCRATCH,
        .data_by_major = true,
        .template_env = POSTGRES_TEMPLATE,
        .server = "postgres",
        .server_user = "postgres",
    },
    {
        .kind = "postgis",
        .image = "postgis/postgis",
        .version = "17-3.5",
        .standin = "postgis",
        .port = 5432,
        .probe = PROBE_POSTGRES,
        .url = POSTGRES_URL,
        .has_login = true,
        .env = POSTGRES_ENV,
        .data = POSTGRES_DATA,
        .kept_env = POSTGRES_KEPT_ENV,
        .scratch_args = POSTGRES_SCRATCH,
        .data_by_major = true,
        .template_env = POSTGRES_TEMPLATE,
        .server = "postgres",
        .server_user = "postgres",
    },
    {
        .kind = "mysql",
        .aliases = { "rds-mysql" },
        .image = "mysql",
        .version = "8.4",
        .standin = "mysql",
        .port = 3306,
        .probe = PROBE_MYSQL,
        .url = MYSQL_URL,
        .has_login = true,
        .env = "MYSQL_ROOT_PASSWORD={pass}\nMYSQL_DATABASE={name}\n"
               "MYSQL_USER={user}\nMYSQL_PASSWORD={pass}",
        .data = "/var/lib/mysql",
        .scratch_env = "MYSQL_INITDB_SKIP_TZINFO=1",
        /* "loose" because mysql 5.7 knows these options only once the X plugin
         * is loaded. fsync as flush method because 8.4 would otherwise open its
         * files with O_DIRECT, and read them from the disk at each start. */
        .scratch_args = "--skip-log-bin\n--innodb-flush-log-at-trx-commit=0\n"
                        "--innodb-doublewrite=OFF\n--loose-mysqlx=0\n"
                        "--innodb-flush-method=fsync\n"
                        "--performance-schema=OFF\n"
                        "--innodb-buffer-pool-size=64M\n"
                        "--loose-innodb-redo-log-capacity=32M",
        .init_sql = MYSQL_GRANT,
        .template_args = MYSQL_TEMPLATE,
        .server = "mysqld\n--user=mysql",
    },
    {
        .kind = "mariadb",
        .aliases = { "rds-mariadb" },
        .image = "mariadb",
        .version = "11.8",
        .standin = "mariadb",
        .port = 3306,
        .probe = PROBE_MYSQL,
        .url = MYSQL_URL,
        .has_login = true,
        .env = "MARIADB_ROOT_PASSWORD={pass}\nMARIADB_DATABASE={name}\n"
               "MARIADB_USER={user}\nMARIADB_PASSWORD={pass}",
        .data = "/var/lib/mysql",
        .scratch_env = "MARIADB_INITDB_SKIP_TZINFO=1",
        .scratch_args = "--skip-log-bin\n--innodb-flush-log-at-trx-commit=0\n"
                        "--innodb-doublewrite=0\n"
                        "--innodb-buffer-pool-size=64M\n"
                        "--innodb-log-file-size=32M",
        .init_sql = MYSQL_GRANT,
        .template_args = MYSQL_TEMPLATE,
        /* mariadb 11.4 and later make an RSA key at every start, which takes up
         * to a second. The template brings one along. */
        .server = "mariadbd\n--user=mysql\n--ssl-cert=" PLAN_TEMPLATE_TLS
                  "\n--ssl-key=" PLAN_TEMPLATE_TLS,
        .template_tls = true,
    },
    {
        .kind = "redis",
        .aliases = { "elasticache-redis" },
        .image = "redis",
        .version = "8.0",
        .standin = "redis",
        .port = 6379,
        .probe = PROBE_REDIS,
        .url = "redis://{host}:{port}/0",
        .data = "/data",
        .kept_args = REDIS_KEPT,
        .scratch_args = REDIS_SCRATCH,
    },
    {
        .kind = "valkey",
        .image = "valkey/valkey",
        .version = "8.1",
        .standin = "valkey",
        .port = 6379,
        .probe = PROBE_REDIS,
        .url = "redis://{host}:{port}/0",
        .data = "/data",
        .kept_args = REDIS_KEPT,
        .scratch_args = REDIS_SCRATCH,
    },
    {
        .kind = "memcached",
        .aliases = { "elasticache-memcached" },
        .image = "memcached",
        .version = "1.6",
        .standin = "memcached",
        .port = 11211,
        .probe = PROBE_MEMCACHED,
        .url = "memcached://{host}:{port}",
    },
    { .kind = "efs" },
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

/* The n-th name of a type: first its kind, then its aliases; NULL past the
 * last. */
static const char *name_of(const struct resource_type *type, size_t n)
{
    return n == 0 ? type->kind : type->aliases[n - 1];
}

static const char *find_nearest(const char *word)
{
    struct nearest n = nearest_to(word, strlen(word) <= 4 ? 1 : 3);
    const char *name;

    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (size_t k = 0; (name = name_of(&types[i], k)) != NULL; k++)
            nearest_try(&n, name);
    return n.best;
}

const struct resource_type *resource_type_find(const char *type,
                                               const char **nearest)
{
    const char *name;

    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (size_t n = 0; (name = name_of(&types[i], n)) != NULL; n++)
            if (strcmp(name, type) == 0)
                return &types[i];
    if (nearest != NULL)
        *nearest = find_nearest(type);
    return NULL;
}

char *resource_type_names(void)
{
    struct str all = { 0 };
    const char *name;

    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (size_t n = 0; (name = name_of(&types[i], n)) != NULL; n++)
            str_printf(&all, "%s%s", all.len == 0 ? "" : ", ", name);
    return str_take(&all);
}
