// Debian's tools on a mount of `dmmap store`: what people do with files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "programs/store_server.h"
#include "support/requirement.h"

namespace dmmap::testing {
namespace {

using ::testing::HasSubstr;

class StoreTools : public StoreServerTest {
 protected:
  std::string sh(const std::string& script, std::chrono::seconds timeout = std::chrono::seconds{100}) {
    return server_->sh(script, timeout);
  }
};

TEST_F(StoreTools, GitClonesRepacksAndFindsAllSound) {
  DMMAP_NEEDS(needs::program("git"));
  sh(R"sh(
    export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
    git init -q -b main r
    cp -r "$SOURCE/src" "$SOURCE/include" r
    git -C r add . && git -C r commit -qm 1
    for i in 2 3 4 5; do
      for file in $(git -C r ls-files | head -n 20); do echo "// $i" >>"r/$file"; done
      git -C r commit -qam $i
    done
    git clone -q r c
    git -C c repack -adfq
    git -C c fsck --full --strict
    git -C c reset -q --hard HEAD~3 && git -C c pull -q
    git -C c gc -q --prune=now
    git -C c fsck --full --strict
    diff -r --exclude=.git r c
    [[ $(git -C c rev-list --count HEAD) == 5 && -z $(git -C c status --porcelain) ]])sh");
}

TEST_F(StoreTools, CompilersBuildAndGoldAndLldLink) {
  DMMAP_NEEDS(needs::program("g++"));
  DMMAP_NEEDS(needs::program("ld.gold"));
  DMMAP_NEEDS(needs::program("ld.lld"));
  sh(R"sh(
    printf 'int twice(int);\nint main() { return twice(21) == 42 ? 0 : 1; }\n' >main.cpp
    printf '#include <map>\n#include <string>\nint twice(int n) { std::map<int, std::string> m; m[n] = "x"; return 2 * n * int(m.size()); }\n' >twice.cpp
    for each in main twice; do g++ -O1 -g -c $each.cpp; done
    for linker in bfd gold lld; do
      g++ -fuse-ld=$linker main.o twice.o -o with_$linker
      ./with_$linker
      g++ -fuse-ld=$linker -shared -fPIC twice.cpp -o libtwice_$linker.so
      g++ main.o -L. -ltwice_$linker -Wl,-rpath,"$PWD" -o shared_$linker
      ./shared_$linker
      strip with_$linker && ./with_$linker
    done)sh");
}

TEST_F(StoreTools, TarBringsATreeBack) {
  sh(R"sh(
    mkdir tree && cp -r "$SOURCE/src" "$SOURCE/docs" "$SOURCE/tests" tree
    ln -s src/CMakeLists.txt tree/link
    ln tree/src/CMakeLists.txt tree/hard
    mkfifo tree/fifo
    truncate -s 50M tree/sparse && printf x | dd of=tree/sparse bs=1 seek=30000000 conv=notrunc status=none
    touch -d '2001-02-03 04:05:06.789012345' tree/src
    chmod 1751 tree/docs
    tar --format=posix --sparse -cf t.tar tree
    mkdir back && tar --sparse -C back -xf t.tar
    tar -C back --compare -f t.tar
    diff -r tree/src back/tree/src
    cmp tree/sparse back/tree/sparse
    [[ $(stat -c '%y %a' tree/src) == "$(stat -c '%y %a' back/tree/src)" ]]
    [[ $(stat -c %a back/tree/docs) == 1751 && $(stat -c %h back/tree/hard) == 2 && -p back/tree/fifo ]]
    (( $(stat -c %s t.tar) < 40000000 && $(stat -c %b back/tree/sparse) < 100 ))
    tar -cf /dev/null tree
    rm -r tree back
    [[ $(ls) == t.tar ]])sh");
}

TEST_F(StoreTools, FioVerifiesWhatItMapsAndWrites) {
  DMMAP_NEEDS(needs::program("fio"));
  const std::string fio = R"sh(
    run() { fio --name=x --size=48M --bs=4k --verify=crc32c --verify_fatal=1 --output=/dev/null "$@"; }
    run --filename=a --rw=randwrite --ioengine=mmap --do_verify=1
    run --filename=b --rw=randrw --ioengine=mmap --do_verify=1 --fsync=64
    run --filename=c --rw=write --ioengine=mmap --do_verify=0
    run --filename=c --rw=write --ioengine=psync --verify_only
    run --filename=d --rw=write --ioengine=psync --do_verify=0
    run --filename=d --rw=write --ioengine=mmap --verify_only
    run --filename=e --rw=randwrite --ioengine=psync --direct=1 --do_verify=1
    cp c f && cmp c f)sh";
  sh(fio);
}

TEST_F(StoreTools, XfsIoMixesMappedAndOtherAccess) {
  DMMAP_NEEDS(needs::program("xfs_io"));
  const std::string printed = sh(R"sh(
    xfs_io -f -c 'truncate 64k' -c 'mmap -rw 0 64k' \
      -c 'mwrite -S 0x61 0 8192' -c 'pread -v 8188 8' -c 'pwrite -q -S 0x62 4090 12' -c 'mread -v 4088 16' \
      -c 'mwrite -S 0x63 4094 2' -c 'pread -v 4088 16' -c 'msync -s 0 64k' -c 'pread -v 4088 16' \
      -c 'fpunch 4096 4096' -c 'mread -v 4092 8' -c 'munmap' f | grep ^0000)sh");
  EXPECT_THAT(printed, HasSubstr("00001ffc:  61 61 61 61 00 00 00 00"));
  EXPECT_THAT(printed, HasSubstr("00000ff8:  61 61 62 62 62 62 62 62 62 62 62 62 62 62 61 61"));
  const std::string mixed = "00000ff8:  61 61 62 62 62 62 63 63 62 62 62 62 62 62 61 61";
  EXPECT_THAT(printed, HasSubstr(mixed));
  EXPECT_NE(printed.find(mixed), printed.rfind(mixed)) << "not the same after msync: " << printed;
  EXPECT_THAT(printed, HasSubstr("00000ffc:  62 62 63 63 00 00 00 00"));
}

TEST_F(StoreTools, StressNgFindsNothing) {
  DMMAP_NEEDS(needs::program("stress-ng"));
  for (const char* const what : {"--mmap 2 --mmap-file --mmap-bytes 16M", "--msync 2", "--fault 2", "--rmap 2"}) {
    sh(std::string("stress-ng --verify --timeout 5 --temp-path . ") + what + " 2>&1");
  }
}

TEST_F(StoreTools, CopiesShareAndKeepWhatWasJustStored) {
  const std::string printed = sh(R"sh(
    dd if=/dev/urandom of=big bs=1M count=64 status=none
    cp big copy && cmp big copy
    /usr/bin/python3 - <<'P'
import mmap, os, subprocess
with open("stored", "w+b") as file:
    file.truncate(1 << 20)
    memory = mmap.mmap(file.fileno(), 1 << 20)
    for page in range(0, 256, 3):
        memory[page * 4096 + 7:page * 4096 + 12] = b"hello"
    data = os.lseek(file.fileno(), 8000, os.SEEK_DATA)
    hole = os.lseek(file.fileno(), 0, os.SEEK_HOLE)
    assert (data, hole) == (12288, 4096), (data, hole)
    subprocess.check_call(["cp", "stored", "copied"])
    assert open("copied", "rb").read() == memory[:]
    assert os.stat("copied").st_blocks < 1024
P
    printf y | dd of=copy bs=1 seek=1000000 conv=notrunc status=none
    cmp big copy || true)sh");
  EXPECT_THAT(printed, HasSubstr("differ: byte 1000001,"));
  server_->end();
  const Outcome stat = run({DMMAP_PROGRAM, "store", "stat", server_->database()}, std::chrono::seconds{30});
  EXPECT_THAT(stat.out, HasSubstr("shared      16383 ")) << stat.out << stat.err;  // all but the one
  server_->start();
}

TEST_F(StoreTools, SnapshotsHaveWhatWasStoredBefore) {
  const std::string dmmap = DMMAP_PROGRAM;
  sh("snapshot() { " + dmmap + R"sh( store snapshot "$@"; }
    mkdir tree && cp -r "$SOURCE/src" "$SOURCE/docs" tree && ln tree/src/CMakeLists.txt tree/hard
    [[ ! -e before ]]
    snapshot tree before
    diff -r tree before
    [[ $(stat -c '%y %a %h' tree/src tree/hard) == "$(stat -c '%y %a %h' before/src before/hard)" ]]
    [[ $(ls | tr '\n' ' ') == 'before tree ' && $(stat -c %h .) == 4 ]]
    echo changed >>tree/src/CMakeLists.txt && rm -r tree/docs
    [[ -d before/docs ]] && ! grep -q changed before/src/CMakeLists.txt before/hard
    snapshot tree tree/in.itself && diff -r tree/src tree/in.itself/src && [[ ! -e tree/in.itself/in.itself ]]
    snapshot tree/hard one.file/ && cmp tree/hard one.file
    refused() { if snapshot "$@" 2>error; then exit 1; fi; cat error; }
    refused tree before | grep -q 'File exists'
    refused tree /tmp/elsewhere | grep -q "aren't on the same mount"
    refused "$SOURCE/src" "$SOURCE/other" | grep -q "isn't on a mount of dmmap store"
    refused nothing other | grep -q 'No such file'
    chmod 711 ..
    setpriv --reuid=65534 --clear-groups )sh" +
     dmmap + R"sh( store snapshot tree other 2>error && exit 1
    grep -q 'only root and the user who runs the server' error
    [[ ! -e other ]])sh");
  // What is stored through a mapping, and written to an open file, is in it; none of it has been synced.
  sh("dmmap=" + dmmap + R"sh(
    /usr/bin/python3 - $dmmap <<'P'
import mmap, subprocess, sys
with open("tree/mapped", "w+b") as mapped, open("tree/written", "wb") as written:
    mapped.truncate(1 << 20)
    memory = mmap.mmap(mapped.fileno(), 1 << 20)
    memory[300000:300006] = b"stored"
    written.write(b"w" * 50000)
    written.flush()
    subprocess.check_call([sys.argv[1], "store", "snapshot", "tree", "after"])
    memory[300000:300006] = b"later!"
    assert open("after/mapped", "rb").read() == b"\0" * 300000 + b"stored" + b"\0" * (748576 - 6)
    assert open("after/written", "rb").read() == b"w" * 50000
P)sh");
}

}  // namespace
}  // namespace dmmap::testing
