#include "cli/regions_command.h"

#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "cli/patience.h"
#include "cli/region_listing.h"
#include "cli/region_table.h"
#include "cli/watch_option.h"

namespace dmmap::cli {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{5};

struct Settings {
  std::string mountpoint;
  bool as_json = false;
  double watch = 0;  // seconds; 0: once
};

unsigned columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// While one exists SIGINT and SIGTERM don't end the program, but the wait.
class Interruptible {
 public:
  Interruptible() {
    ::sigemptyset(&ends_);
    ::sigaddset(&ends_, SIGINT);
    ::sigaddset(&ends_, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &ends_, &before_);
  }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  ~Interruptible() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  /// False when one of them came.
  [[nodiscard]] bool wait(double seconds) const {
    const auto whole = static_cast<std::time_t>(seconds);
    const timespec time{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
    return ::sigtimedwait(&ends_, nullptr, &time) < 0;
  }

 private:
  sigset_t ends_{};
  sigset_t before_{};
};

class RegionsCommand {
 public:
  RegionsCommand(const Settings& settings, std::ostream& out, std::ostream& err)
      : settings_(settings), out_(out), err_(err) {}

  int once() {
    auto listing = ask();
    if (!listing) {
      return 1;
    }
    print(*listing, {});
    return 0;
  }

  int watch() {
    const Interruptible interruptible;
    const bool terminal = ::isatty(STDOUT_FILENO) != 0 && !settings_.as_json;
    std::optional<json> before;
    Clock::time_point then;
    do {
      auto listing = ask();
      if (!listing) {
        return 1;
      }
      const auto now = Clock::now();
      if (terminal) {
        out_ << "\033[H\033[J";  // home, and clear from there
      }
      print(*listing, before ? Since{&*before, std::chrono::duration<double>(now - then).count()} : Since{});
      if (!terminal && !settings_.as_json) {
        out_ << "\n";
      }
      out_.flush();
      before = std::move(*listing);
      then = now;
    } while (interruptible.wait(settings_.watch));
    return 0;
  }

 private:
  std::optional<json> ask() {
    const auto text =
        with_patience(settings_.mountpoint, kPatience, [this] { return list_regions(settings_.mountpoint); });
    if (!text) {
      err_ << "dmmap regions: " << text.error().message << std::endl;
      return std::nullopt;
    }
    return json::parse(*text);
  }

  void print(const json& listing, const Since& since) {
    if (settings_.as_json) {
      out_ << listing.dump(settings_.watch > 0 ? -1 : 2) << "\n";
    } else {
      out_ << region_table(listing, since, columns());
    }
  }

  const Settings settings_;
  std::ostream& out_;
  std::ostream& err_;
};

}  // namespace

void add_regions_command(CLI::App& app, std::ostream& out, std::ostream& err, int& status) {
  CLI::App* command = app.add_subcommand("regions", "Say who holds which memory of the files below MOUNTPOINT");
  const auto settings = std::make_shared<Settings>();
  command->add_option("MOUNTPOINT", settings->mountpoint, "where a server of dmmap's is mounted")->required();
  command->add_flag("--json", settings->as_json, "for programs; with --watch, an object a line");
  add_watch_option(*command, settings->watch,
                   "again and again, every so many seconds, until it's interrupted; alone: every second");
  command->callback([&out, &err, &status, settings] {
    RegionsCommand regions(*settings, out, err);
    status = settings->watch > 0 ? regions.watch() : regions.once();
  });
}

}  // namespace dmmap::cli
