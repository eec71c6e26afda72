#include "servers/daemon/daemon_log.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/syslog_sink.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace dmmap::daemon {

namespace {

LogSink sink_of(const std::string& name, std::shared_ptr<spdlog::sinks::sink> sink, const std::string& pattern) {
  auto logger = std::make_shared<spdlog::logger>(name, std::move(sink));
  logger->set_pattern(pattern);
  logger->flush_on(spdlog::level::info);
  return [logger](LogLevel level, const std::string& text) {
    switch (level) {
      case LogLevel::info:
        logger->info(text);
        break;
      case LogLevel::warning:
        logger->warn(text);
        break;
      case LogLevel::error:
        logger->error(text);
        break;
    }
  };
}

}  // namespace

LogSink log_to_stream(const std::string& name, std::ostream& out) {
  return sink_of(name, std::make_shared<spdlog::sinks::ostream_sink_mt>(out, true), "%n: %v");
}

Result<LogSink> log_to_file(const std::string& name, const std::string& file) {
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    return sink_of(name, std::move(sink), "%Y-%m-%d %H:%M:%S.%e %n[%P] %l: %v");
  } catch (const spdlog::spdlog_ex& error) {
    return fail(EIO, fmt::format("can't write the log {}: {}", file, error.what()));
  }
}

LogSink log_to_syslog(const std::string& name) {
  return sink_of(name, std::make_shared<spdlog::sinks::syslog_sink_mt>(name, LOG_PID, LOG_DAEMON, false), "%v");
}

}  // namespace dmmap::daemon
