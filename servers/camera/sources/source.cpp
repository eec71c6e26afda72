#include "servers/camera/sources/source.h"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "servers/camera/picture/av_log.h"
#include "servers/camera/sources/file_source.h"
#include "servers/camera/sources/pattern_source.h"
#include "servers/camera/sources/pipe_source.h"
#include "servers/camera/sources/rates.h"

namespace dmmap::camera {

namespace {

using Kind = SourceChoice::Kind;

constexpr const char* kKinds = "pattern, file:PATH, y4m:PATH, raw:FORMAT:PATH or device";
constexpr std::string_view kStandardInput = "-";

// What follows `kind` and a colon; nothing where `text` is of another kind.
std::optional<std::string_view> after(std::string_view text, std::string_view kind) {
  if (!text.starts_with(kind) || !text.substr(kind.size()).starts_with(':')) {
    return std::nullopt;
  }
  return text.substr(kind.size() + 1);
}

Result<std::string> absolute(std::string_view path, std::string_view kind) {
  if (path.empty()) {
    return fail(EINVAL, fmt::format("the source {0} lacks its file; say {0}:PATH", kind));
  }
  if (path.find('\0') != std::string_view::npos) {
    return fail(EINVAL, fmt::format("the source {}'s path has a NUL in it, which no path has", kind));
  }
  std::error_code error;
  std::string whole = std::filesystem::absolute(path, error).string();
  if (error) {
    return fail_errno(error.value(), fmt::format("the present directory can't be told; give {} a whole path", kind));
  }
  return whole;
}

Result<SourceChoice> with_path(Kind kind, std::string_view path, std::string_view name,
                               const PixelFormat* format = nullptr) {
  if (kind != Kind::file && path == kStandardInput) {
    return SourceChoice{kind, std::string(path), format};
  }
  auto whole = absolute(path, name);
  if (!whole) {
    return tl::unexpected(whole.error());
  }
  return SourceChoice{kind, std::move(*whole), format};
}

std::string format_names() {
  std::string names;
  for (const PixelFormat& each : pixel_formats()) {
    names += names.empty() ? each.name : fmt::format(", {}", each.name);
  }
  return names;
}

Result<SourceChoice> parse_raw(std::string_view rest) {
  const std::size_t colon = rest.find(':');
  const std::string name(rest.substr(0, colon));
  if (colon == std::string_view::npos || name.empty()) {
    return fail(EINVAL, fmt::format("a raw source is raw:FORMAT:PATH; FORMAT is one of {}", format_names()));
  }
  const PixelFormat* const format = find_pixel_format(name);
  if (format == nullptr) {
    return fail(EINVAL, fmt::format("there is no format '{}' for a raw source; say one of {}", name, format_names()));
  }
  return with_path(Kind::raw, rest.substr(colon + 1), "raw:" + name, format);
}

Result<void> check(const SourceChoice& choice, const SourceWish& wish) {
  if (wish.size) {
    const Size size = *wish.size;
    if (size.width < kLeastSide || size.height < kLeastSide || size.width > kMostSide || size.height > kMostSide) {
      return fail(EINVAL, fmt::format("pictures of {}x{} can't be made; say {} to {} pixels for each side", size.width,
                                      size.height, kLeastSide, kMostSide));
    }
  }
  if (wish.rate && !sensible(*wish.rate)) {
    return fail(EINVAL, fmt::format("{}/{} pictures a second can't be made; say at most {}, and at least one an hour",
                                    wish.rate->numerator, wish.rate->denominator, kMostRate));
  }
  if (choice.kind == Kind::raw && choice.format == nullptr) {
    return fail(EINVAL,
                fmt::format("a raw source lacks its format; say raw:FORMAT:PATH, with one of {}", format_names()));
  }
  return {};
}

template <class T>
Result<std::unique_ptr<Source>> as_source(Result<std::unique_ptr<T>> made) {
  if (!made) {
    return tl::unexpected(made.error());
  }
  return std::move(*made);
}

}  // namespace

Result<SourceChoice> parse_source(std::string_view text) {
  if (text == "pattern") {
    return SourceChoice{Kind::pattern};
  }
  if (text == "device") {
    return SourceChoice{Kind::device};
  }
  if (const auto path = after(text, "file")) {
    if (*path == kStandardInput) {
      return fail(EINVAL,
                  "a file is read again and again, which standard input can't be; say y4m:- or raw:FORMAT:- "
                  "for pictures that come from there, or file:./- for a file of that name");
    }
    return with_path(Kind::file, *path, "file");
  }
  if (const auto path = after(text, "y4m")) {
    return with_path(Kind::y4m, *path, "y4m");
  }
  if (const auto rest = after(text, "raw")) {
    return parse_raw(*rest);
  }
  return fail(EINVAL, fmt::format("there is no source '{}'; say {}", text, kKinds));
}

Result<std::unique_ptr<Source>> open_source(const SourceChoice& choice, const SourceWish& wish, const LogSink& log) {
  if (const auto checked = check(choice, wish); !checked) {
    return tl::unexpected(checked.error());
  }
  silence_libav();
  switch (choice.kind) {
    case Kind::pattern:
      return std::make_unique<PatternSource>(wish);
    case Kind::file:
      return as_source(FileSource::create(choice.file, wish, log));
    case Kind::y4m:
    case Kind::raw:
      return as_source(PipeSource::create(choice, wish, log));
    case Kind::device:
      break;
  }
  return fail(EINVAL,
              "the source 'device' is what producers write to the camera's device, and isn't opened; say "
              "pattern, file:PATH, y4m:PATH or raw:FORMAT:PATH for one that is");
}

}  // namespace dmmap::camera
