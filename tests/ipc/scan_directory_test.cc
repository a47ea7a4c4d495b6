#include "pwalk/ipc/scan_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "control_socket.h"
#include "ipc/scan_fixture.h"
#include "pwalk/ipc/consumer.h"
#include "scan_home.h"

namespace pwalk::ipc {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RuntimeDirectory;
using testing::ServedScan;

class ScanDirectoryTest : public ::testing::Test {
 protected:
  /// What a scanner that was killed leaves: a directory with a socket nobody listens on.
  void leave_dead_scan(const std::string& name) {
    const fs::path directory = fs::path(runtime_.path()) / name;
    fs::create_directory(directory);
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(listen_in(fd.get()));  // closed at once
  }
  RuntimeDirectory runtime_;
};

TEST_F(ScanDirectoryTest, NamesThatAScanMayHave) {
  for (const char* good : {"a", "home", "home-2", "A.b_c-9", "0"}) EXPECT_TRUE(check_scan_name(good)) << good;
  for (const std::string bad : {"", ".", "..", ".hidden", "-flag", "a/b", "a b", "ä", "a\n"})
    EXPECT_FALSE(check_scan_name(bad)) << bad;
  EXPECT_TRUE(check_scan_name(std::string(64, 'x')));
  EXPECT_FALSE(check_scan_name(std::string(65, 'x')));
}

TEST_F(ScanDirectoryTest, TheRuntimeDirectoryIsTheEnvironmentsOrTheUsers) {
  EXPECT_EQ(runtime_directory(), runtime_.path());
  ::unsetenv("PWALK_RUNTIME_DIR");
  EXPECT_EQ(runtime_directory(), "/dev/shm/pwalk-" + std::to_string(::geteuid()));
  EXPECT_EQ(*runtime_directory_of("root"), "/dev/shm/pwalk-0");
  EXPECT_EQ(runtime_directory_of("no such user").error().code, ENOENT);
}

TEST_F(ScanDirectoryTest, MakesAPrivateRuntimeDirectory) {
  const std::string path = runtime_.path() + "/made";
  EXPECT_EQ(open_runtime_directory(path, false).error().code, ENOENT);
  ASSERT_TRUE(open_runtime_directory(path, true));
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
  EXPECT_TRUE(open_runtime_directory(path + "///", true));
}

TEST_F(ScanDirectoryTest, RefusesAnUnsafeRuntimeDirectory) {
  const std::string real = runtime_.path() + "/real", link = runtime_.path() + "/link",
                    file = runtime_.path() + "/file";
  fs::create_directory(real);
  fs::create_directory_symlink(real, link);
  std::ofstream(file) << "x";
  EXPECT_EQ(open_runtime_directory(link, true).error().code, EPERM);
  EXPECT_EQ(open_runtime_directory(link + "/", true).error().code, EPERM);
  EXPECT_EQ(open_runtime_directory(file, true).error().code, EPERM);
  ::chmod(real.c_str(), 0770);
  EXPECT_THAT(open_runtime_directory(real, true).error().what, HasSubstr("can be written by others"));
  ::chmod(real.c_str(), 0755);
  EXPECT_TRUE(open_runtime_directory(real, true));
}

TEST_F(ScanDirectoryTest, RefusesAnotherUsersRuntimeDirectory) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  const std::string theirs = runtime_.path() + "/theirs";
  fs::create_directory(theirs);
  ::chmod(theirs.c_str(), 0700);
  ASSERT_EQ(::chown(theirs.c_str(), 65534, 65534), 0);
  EXPECT_EQ(open_runtime_directory(theirs, true).error().code, EPERM);
  EXPECT_TRUE(open_runtime_directory(theirs, false)) << "root may look";
}

TEST_F(ScanDirectoryTest, UniqueNames) {
  EXPECT_EQ(unique_scan_name("/"), "root");
  EXPECT_EQ(unique_scan_name(""), "root");
  EXPECT_EQ(unique_scan_name("home"), "home");
  EXPECT_EQ(unique_scan_name("My Files"), "My_Files");
  EXPECT_EQ(unique_scan_name(".cache"), "_cache");
  EXPECT_TRUE(check_scan_name(unique_scan_name(std::string(300, '\xff'))));
  fs::create_directory(fs::path(runtime_.path()) / "documents");
  EXPECT_EQ(unique_scan_name("documents"), "documents-2");
  leave_dead_scan("home");
  EXPECT_EQ(unique_scan_name("home"), "home") << "a dead scan's name is free";
  const ServedScan one("home");
  EXPECT_EQ(unique_scan_name("home"), "home-2");
  const ServedScan two("home-2");
  EXPECT_EQ(unique_scan_name("home"), "home-3");
}

TEST_F(ScanDirectoryTest, TwoLiveScansCannotHaveOneName) {
  const ServedScan scan("home");
  const auto second = ScanSession::create({.name = "home", .pool_bytes = 2u << 20});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EEXIST);
  EXPECT_THAT(second.error().what, HasSubstr("'home'"));
  EXPECT_THAT(runtime_.names(), ElementsAre("home"));
}

TEST_F(ScanDirectoryTest, ListsLiveAndDeadScansByName) {
  leave_dead_scan("dead");
  const ServedScan b("b"), a("a");
  fs::create_directory(fs::path(runtime_.path()) / ".not-a-scan");
  std::ofstream(runtime_.path() + "/file") << "x";
  const auto scans = list_scans(runtime_.path());
  ASSERT_TRUE(scans);
  ASSERT_EQ(scans->size(), 3u);
  EXPECT_EQ((*scans)[0].name, "a");
  EXPECT_EQ((*scans)[0].state, "waiting");
  EXPECT_EQ((*scans)[0].started.size(), 20u);
  EXPECT_FALSE((*scans)[0].user.empty());
  EXPECT_EQ((*scans)[2].name, "dead");
  EXPECT_EQ((*scans)[2].state, "dead");
  EXPECT_EQ((*scans)[2].started.size(), 20u);
  EXPECT_THAT(*list_scans(runtime_.path() + "/absent"), IsEmpty());
}

TEST_F(ScanDirectoryTest, RemovesTheDeadAndTouchesNothingElse) {
  leave_dead_scan("dead");
  leave_dead_scan("gone");
  leave_dead_scan(".new-0123");   // a scanner killed before its scan appeared
  leave_dead_scan(".dead-0123");  // a cleaner killed while it cleaned
  ServedScan scan("alive");
  EXPECT_EQ(remove_scan(runtime_.path(), "alive").error().code, EBUSY);
  EXPECT_EQ(remove_scan(runtime_.path(), "none").error().code, ENOENT);
  EXPECT_EQ(remove_scan(runtime_.path(), "../x").error().code, EINVAL);
  EXPECT_THAT(*remove_dead_scans(runtime_.path()), ElementsAre("dead", "gone"));
  EXPECT_THAT(runtime_.names(), ElementsAre("alive"));
  EXPECT_TRUE(Consumer::attach({.scan = "alive"}));
  EXPECT_THAT(*remove_dead_scans(runtime_.path() + "/absent"), IsEmpty());
}

TEST_F(ScanDirectoryTest, WhatIsNoScansIsNeverRemoved) {
  const fs::path runtime = runtime_.path();
  fs::create_directories(runtime / "documents");
  std::ofstream(runtime / "documents" / "precious") << "x";
  fs::create_directory(runtime / "empty");
  leave_dead_scan("mixed");
  std::ofstream(runtime / "mixed" / "precious") << "x";
  leave_dead_scan("real");
  fs::create_directory_symlink(runtime / "real", runtime / "link");
  for (const char* name : {"documents", "empty", "link"}) {
    EXPECT_EQ(remove_scan(runtime, name).error().code, ENOENT) << name;
    EXPECT_FALSE(Consumer::attach({.scan = name}));
  }
  EXPECT_EQ(remove_scan(runtime, "mixed").error().code, ENOTEMPTY);
  EXPECT_EQ(ScanSession::create({.name = "documents", .pool_bytes = 2u << 20}).error().code, EEXIST);
  EXPECT_THAT(*remove_dead_scans(runtime), ElementsAre("real"));
  EXPECT_TRUE(fs::exists(runtime / "documents" / "precious") && fs::exists(runtime / "mixed" / "precious"));
  EXPECT_TRUE(fs::exists(runtime / "empty") && fs::is_symlink(runtime / "link"));
}

TEST_F(ScanDirectoryTest, AScanBeingMadeIsNotTaken) {
  auto home = ScanHome::make(runtime_.path(), "young");
  ASSERT_TRUE(home);
  EXPECT_THAT(*remove_dead_scans(runtime_.path()), IsEmpty());
  EXPECT_EQ(Consumer::attach({.scan = "young"}).error().code, ENOENT);
  ASSERT_TRUE(home->appear());
  EXPECT_THAT(runtime_.names(), ElementsAre("young"));
  { const ScanHome gone = *std::move(home); }
  EXPECT_THAT(runtime_.names(), IsEmpty());
}

/// Looking a scan up, as Consumer::attach() does.
class LookupTest : public ScanDirectoryTest {
 protected:
  static std::string attached_to(const std::string& wanted) {
    const auto consumer = Consumer::attach({.scan = wanted});
    return consumer ? consumer->scan_name() : consumer.error().message();
  }
  static std::unique_ptr<ScanSession> session(const std::string& name, const std::string& root) {
    auto made = ScanSession::create(
        {.name = name, .roots = {root}, .pool_bytes = 2u << 20, .huge_pages = HugePages::off});
    EXPECT_TRUE(made);
    return std::make_unique<ScanSession>(*std::move(made));
  }
};

TEST_F(LookupTest, TheOnlyScanNeedsNoName) {
  EXPECT_EQ(Consumer::attach({}).error().code, ENOENT);
  leave_dead_scan("dead");
  ServedScan scan("home");
  EXPECT_EQ(attached_to(""), "home");
  EXPECT_EQ(attached_to("home"), "home");
}

TEST_F(LookupTest, SeveralNeedOneAndTheMessageNamesThem) {
  const ServedScan one("one"), two("two");
  const auto refused = Consumer::attach({});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EMLINK);
  EXPECT_THAT(refused.error().what, HasSubstr("one, two"));
  EXPECT_THAT(attached_to("three"), HasSubstr("running: one, two"));
}

TEST_F(LookupTest, ByRootTheNewestCounts) {
  const ServedScan first("first");
  std::this_thread::sleep_for(1100ms);  // started is told in seconds
  const ServedScan second("second");
  EXPECT_EQ(attached_to("/numbered"), "second");
  EXPECT_EQ(attached_to("/numbered/"), "second");
  EXPECT_EQ(Consumer::attach({.scan = "/elsewhere"}).error().code, ENOENT);
}

TEST_F(LookupTest, BadNamesAndUsersAreRefusedAtOnce) {
  EXPECT_EQ(Consumer::attach({.scan = "-x", .timeout = 10s}).error().code, EINVAL);
  EXPECT_EQ(Consumer::attach({.scan = "no such user/home", .timeout = 10s}).error().code, EINVAL);
}

TEST_F(LookupTest, WaitsForAScanToAppear) {
  std::unique_ptr<ServedScan> scan;
  std::thread later([&] {
    std::this_thread::sleep_for(100ms);
    scan = std::make_unique<ServedScan>("home");
  });
  const auto consumer = Consumer::attach({.scan = "home", .timeout = 10s});
  later.join();
  EXPECT_TRUE(consumer) << consumer.error().message();
}

TEST_F(LookupTest, TheWaitEndsInTimeAndWhenInterrupted) {
  EXPECT_EQ(Consumer::attach({.scan = "home", .timeout = 120ms}).error().code, ETIMEDOUT);
  int asked = 0;
  const auto interrupted =
      Consumer::attach({.scan = "home", .timeout = 20s, .interrupted = [&] { return ++asked == 3; }});
  EXPECT_EQ(interrupted.error().code, EINTR);
}

TEST_F(LookupTest, AScanThatDoesNotAnswerIsGivenUpWhenInterrupted) {
  const auto stopped = session("stopped", "/x");  // nobody serves it
  int asked = 0;
  EXPECT_EQ(Consumer::attach({.scan = "stopped", .interrupted = [&] { return ++asked == 3; }}).error().code,
            EINTR);
  EXPECT_EQ(Consumer::attach({.scan = "/x", .interrupted = [&] { return true; }}).error().code, EINTR);
  const auto scans = list_scans(runtime_.path());
  ASSERT_TRUE(scans);
  EXPECT_EQ(scans->at(0).state, "unresponsive");
}

}  // namespace
}  // namespace pwalk::ipc
