// Databases on a mount of `dmmap store`: what maps, syncs and locks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "programs/store_server.h"
#include "support/requirement.h"
#include "support/sanitizers.h"

namespace dmmap::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kBenchSeconds = kSanitized ? "10" : "60";

class StoreDatabases : public StoreServerTest {};

TEST_F(StoreDatabases, SqliteMapsAndWritesAhead) {
  DMMAP_NEEDS(needs::program("sqlite3"));
  const std::string printed = server_->sh(R"sh(
    sqlite3 t.db 'PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, who INTEGER, b BLOB);'
    writer() {
      /usr/bin/python3 -c '
import sys
for n in range(40):
    print("BEGIN IMMEDIATE;")
    print("INSERT INTO t(who, b) VALUES(%s, randomblob(700));\n" % sys.argv[1] * 50)
    print("COMMIT; SELECT count(*) FROM t;")' $1 |
        sqlite3 -cmd '.timeout 30000' -cmd 'PRAGMA mmap_size=268435456' t.db >/dev/null
    }
    writer 1 & one=$!
    writer 2 & two=$!
    wait $one && wait $two
    printf 'grep -o "t[.]db.*" /proc/$PPID/maps | sort -u | tr "\\n" " "\n' >mapped.sh
    sqlite3 -cmd 'PRAGMA mmap_size=268435456' t.db <<'S'
SELECT who, count(*), sum(length(b)) FROM t GROUP BY who;
.shell exec bash mapped.sh
PRAGMA integrity_check;
PRAGMA wal_checkpoint(TRUNCATE);
VACUUM;
PRAGMA integrity_check;
S
)sh");
  EXPECT_THAT(printed, HasSubstr("1|2000|1400000\n2|2000|1400000\n"));
  EXPECT_THAT(printed, HasSubstr("t.db t.db-shm ok\n0|0|0\nok\n"));
}

TEST_F(StoreDatabases, LmdbWritesThroughItsMap) {
  DMMAP_NEEDS(needs::program("mdb_copy"));
  server_->sh(R"sh(
    /usr/bin/python3 - <<'P'
import lmdb
env = lmdb.open("l", map_size=1 << 28, writemap=True, max_dbs=1)
for round in range(20):
    with env.begin(write=True) as transaction:
        for n in range(500):
            transaction.put(b"%d-%d" % (round, n), (b"%d" % (round * n)) * 50)
        if round % 3 == 2:
            for n in range(0, 500, 2):
                transaction.delete(b"%d-%d" % (round - 1, n))
env.sync(True)
with env.begin() as transaction:
    for round in range(20):
        for n in range(500):
            gone = round % 3 == 1 and n % 2 == 0 and round < 19
            assert transaction.get(b"%d-%d" % (round, n)) == (None if gone else (b"%d" % (round * n)) * 50)
P
    mkdir copy && mdb_copy l copy
    [[ $(mdb_dump l | md5sum) == "$(mdb_dump copy | md5sum)" ]])sh");
}

TEST_F(StoreDatabases, RocksDbReadsAndWritesMapped) {
  DMMAP_NEEDS(needs::program("db_bench"));
  server_->sh(R"sh(
    db_bench --db="$PWD/rocks" --num=100000 --mmap_read=1 --mmap_write=1 --compression_type=none --verify_checksum=1 \
      --benchmarks=fillseq,overwrite,compact,readrandom,readseq,verifychecksum >log 2>&1 || { cat log; exit 1; }
    grep -q 'readseq .*micros/op' log && ! grep -iE 'corrupt|error' log)sh");
}

TEST_F(StoreDatabases, PostgresBenchesForAMinute) {
  const std::string found =
      run({"bash", "-c", "ls -d /usr/lib/postgresql/*/bin | tail -n 1"}, std::chrono::seconds{5}).out;
  const std::string bin = found.substr(0, found.find('\n'));
  DMMAP_NEEDS(needs::program(bin + "/initdb"));
  const std::string printed = server_->sh("bin=" + bin + "; seconds=" + kBenchSeconds + R"sh(
    chmod 711 .. && mkdir pg && chown postgres: pg && chmod 700 pg
    as() { setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; }
    cd pg
    as $bin/initdb -D data -A trust --no-locale >initdb.log 2>&1 || { cat initdb.log; exit 1; }
    echo "dynamic_shared_memory_type=mmap
listen_addresses=''
unix_socket_directories='$PWD'
min_dynamic_shared_memory=16MB" >>data/postgresql.conf
    as $bin/pg_ctl -D data -l server.log -w start >/dev/null
    trap 'as $bin/pg_ctl -D data -m immediate stop' EXIT
    as $bin/pgbench -h "$PWD" -i -s 2 postgres >init.log 2>&1 || { cat init.log server.log; exit 1; }
    as $bin/pgbench -h "$PWD" -c 4 -j 2 -T $seconds postgres 2>&1
    ls data/pg_dynshmem
    as $bin/psql -h "$PWD" -tA postgres -c 'SELECT sum(abalance) = (SELECT sum(tbalance) FROM pgbench_tellers) FROM pgbench_accounts'
    as $bin/psql -h "$PWD" -tA postgres -c "SET max_parallel_workers_per_gather=2; SET min_parallel_table_scan_size=0; SET parallel_setup_cost=0; SELECT count(*) FROM pgbench_accounts"
    trap - EXIT
    as $bin/pg_ctl -D data -m fast -w stop >/dev/null
    ! grep -E 'PANIC|FATAL|corrupt' server.log)sh",
                                          std::chrono::seconds{160});
  EXPECT_THAT(printed, HasSubstr("number of failed transactions: 0 "));
  EXPECT_THAT(printed, HasSubstr("\nt\n"));
  EXPECT_THAT(printed, HasSubstr("mmap."));
  EXPECT_THAT(printed, HasSubstr("200000"));
}

}  // namespace
}  // namespace dmmap::testing
