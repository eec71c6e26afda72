#include "servers/camera/sources/y4m_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include "servers/camera/sources/rates.h"

extern "C" {
#include <libavutil/pixfmt.h>
}

namespace dmmap::camera {

namespace {

struct ColourSpace {
  std::string_view name;
  int av_format;
  int chroma_location;
};

constexpr std::array kColourSpaces{
    ColourSpace{"420", AV_PIX_FMT_YUV420P, AVCHROMA_LOC_CENTER},
    ColourSpace{"420jpeg", AV_PIX_FMT_YUV420P, AVCHROMA_LOC_CENTER},
    ColourSpace{"420mpeg2", AV_PIX_FMT_YUV420P, AVCHROMA_LOC_LEFT},
    ColourSpace{"420paldv", AV_PIX_FMT_YUV420P, AVCHROMA_LOC_TOPLEFT},
    ColourSpace{"422", AV_PIX_FMT_YUV422P, AVCHROMA_LOC_UNSPECIFIED},
    ColourSpace{"444", AV_PIX_FMT_YUV444P, AVCHROMA_LOC_UNSPECIFIED},
    ColourSpace{"mono", AV_PIX_FMT_GRAY8, AVCHROMA_LOC_UNSPECIFIED},
};

// What a broken header is told as: it may be any bytes.
std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::string shown(text.substr(0, kMost));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

std::optional<unsigned> number_in(std::string_view text) {
  unsigned number = 0;
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && read == end ? std::optional(number) : std::nullopt;
}

tl::unexpected<Error> wrong(std::string_view field, std::string_view what) {
  return fail(EPROTO, fmt::format("the Y4M stream's header says '{}'; {}", printable(field), what));
}

Result<void> take_rate(std::string_view field, Y4mHeader& header) {
  const std::string_view ratio = field.substr(1);
  const std::size_t colon = std::min(ratio.find(':'), ratio.size());
  const auto numerator = number_in(ratio.substr(0, colon));
  const auto denominator = number_in(ratio.substr(std::min(colon + 1, ratio.size())));
  if (!numerator || !denominator) {
    return wrong(field, "its rate is to be F and two numbers, as in F30:1");
  }
  if (*numerator == 0 && *denominator == 0) {
    header.rate.reset();
    return {};
  }
  if (!sensible({*numerator, *denominator})) {
    return wrong(field,
                 fmt::format("its rate is to be at most {} pictures a second, and at least one an hour", kMostRate));
  }
  header.rate = Rate{*numerator, *denominator};
  return {};
}

Result<void> take_colour_space(std::string_view field, Y4mHeader& header) {
  const auto* const found = std::find_if(kColourSpaces.begin(), kColourSpaces.end(),
                                         [&](const ColourSpace& each) { return each.name == field.substr(1); });
  if (found == kColourSpaces.end()) {
    return wrong(field, "what can be read is 4:2:0, 4:2:2, 4:4:4 and mono of 8 bits: say -pix_fmt yuv420p to ffmpeg");
  }
  header.av_format = found->av_format;
  header.chroma_location = found->chroma_location;
  return {};
}

Result<void> take_side(std::string_view field, unsigned& side) {
  const auto number = number_in(field.substr(1));
  if (!number || *number < kLeastSide || *number > kMostSide) {
    return wrong(field, fmt::format("both its sides are to be {} to {} pixels", kLeastSide, kMostSide));
  }
  side = *number;
  return {};
}

Result<void> take(std::string_view field, Y4mHeader& header) {
  switch (field.front()) {
    case 'W':
      return take_side(field, header.size.width);
    case 'H':
      return take_side(field, header.size.height);
    case 'F':
      return take_rate(field, header);
    case 'C':
      return take_colour_space(field, header);
    case 'X':
      header.full_range = header.full_range || field == "XCOLORRANGE=FULL";
      return {};
    default:
      return {};
  }
}

}  // namespace

bool may_begin_with(std::string_view line, std::string_view word) {
  const std::size_t common = std::min(line.size(), word.size());
  return line.substr(0, common) == word.substr(0, common) && (line.size() <= word.size() || line[word.size()] == ' ');
}

Result<Y4mHeader> parse_y4m_header(std::string_view line) {
  if (line.size() < kY4mMagic.size() || !may_begin_with(line, kY4mMagic)) {
    return fail(EPROTO, fmt::format("a Y4M stream begins with YUV4MPEG2, but this with '{}'; have it made by ffmpeg -f "
                                    "yuv4mpegpipe, or say raw:FORMAT:PATH for pictures without headers",
                                    printable(line)));
  }
  Y4mHeader header;
  (void)take_colour_space("C420jpeg", header);  // where the stream says nothing
  line.remove_prefix(kY4mMagic.size());
  while (!line.empty()) {
    const std::size_t length = std::min(line.find(' '), line.size());
    if (length > 0) {
      if (const auto taken = take(line.substr(0, length), header); !taken) {
        return tl::unexpected(taken.error());
      }
    }
    line.remove_prefix(std::min(length + 1, line.size()));
  }
  if (header.size.width == 0 || header.size.height == 0) {
    return fail(EPROTO, "the Y4M stream's header lacks W or H: the pictures' width and height");
  }
  return header;
}

}  // namespace dmmap::camera
