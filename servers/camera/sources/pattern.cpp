#include "servers/camera/sources/pattern.h"

#include <fmt/format.h>
#include <qrencode.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <vector>

#include "servers/camera/sources/frame_mark.h"

namespace dmmap::camera {

namespace {

constexpr std::array kBars{kWhite,
                           Colour{162, 44, 142},
                           Colour{131, 156, 44},
                           Colour{112, 72, 58},
                           Colour{84, 184, 198},
                           Colour{65, 100, 212},
                           Colour{35, 212, 114},
                           kBlack};

// Version 3 takes 42 bytes at the level that corrects 15 % (ISO/IEC 18004), and is 29 modules wide.
constexpr int kQrVersion = 3;
constexpr unsigned kQrModules = 29;
constexpr unsigned kQuietModules = 4;  // at each side
constexpr unsigned kQrAcross = kQrModules + 2 * kQuietModules;
constexpr unsigned kLeastModule = 2;  // pixels: what is smaller, no camera or program reads
constexpr std::size_t kLongestName = 64;

constexpr unsigned kTextCharacters = 12;  // HH:MM:SS.mmm
constexpr unsigned kTextAcross = kGlyphAcross * kTextCharacters + 1;
constexpr unsigned kLeastBand = 2;

void draw_bars(AVFrame& picture, const PatternLayout& layout) {
  Yuyv canvas(picture);
  const Size size = size_of(picture);
  constexpr auto kCount = static_cast<unsigned>(kBars.size());
  for (unsigned i = 0; i < kCount; ++i) {
    // Two pixels share their chroma, so a bar begins at an even one.
    const unsigned first = i * size.width / kCount & ~1U;
    const unsigned beyond = i + 1 == kCount ? size.width : (i + 1) * size.width / kCount & ~1U;
    canvas.fill({first, 0, beyond - first, size.height}, kBars[i]);
  }
  if (layout.marks) {
    const unsigned edge = mark_height(size.height);
    canvas.fill({0, 0, size.width, edge}, kBlack);
    canvas.fill({0, size.height - edge - 1, size.width, edge + 1}, kBlack);
  }
  canvas.fill(layout.band, kBlack);
}

NewPicture blank(Size size, const PatternLayout& layout) {
  NewPicture picture = new_picture(AV_PIX_FMT_YUYV422, size);
  picture->color_range = AVCOL_RANGE_MPEG;
  picture->colorspace = AVCOL_SPC_SMPTE170M;
  picture->color_primaries = AVCOL_PRI_SMPTE170M;
  picture->color_trc = AVCOL_TRC_SMPTE170M;
  draw_bars(*picture, layout);
  picture->pts = -1;
  return picture;
}

struct QrFree {
  void operator()(QRcode* code) const { QRcode_free(code); }
};

}  // namespace

PatternLayout lay_out_pattern(Size size) {
  PatternLayout layout;
  layout.marks = has_room_for_mark(size);
  constexpr unsigned kUnits = 32;
  const unsigned unit = size.height / kUnits;
  // The lower mark can be a line higher than the upper, by rounding.
  const unsigned edge = layout.marks ? mark_height(size.height) : 0;
  const unsigned lower = layout.marks ? size.height - edge - 1 : size.height;
  unsigned floor = lower;
  if (const unsigned height = 2 * unit; height >= kLeastBand) {
    layout.band = {0, lower - height, size.width, height};
    floor = layout.band.y;
  }
  const unsigned margin = std::max(1U, unit / 2);
  if (size.width <= 2 * margin) {
    return layout;
  }
  Rectangle room{margin, edge + margin, size.width - 2 * margin, floor - edge - 2 * margin};

  // Not half of the shorter side: six pixels for a module at 640x480, which are three when that's halved.
  const bool wide = size.width >= size.height + size.height / 4;
  constexpr unsigned kHundred = 100;
  constexpr unsigned kQrPart = 47;
  const unsigned shorter = std::min(size.width, size.height);
  if (const unsigned module = shorter * kQrPart / kHundred / kQrAcross; module >= kLeastModule) {
    const unsigned side = module * kQrAcross;
    layout.qr = {room.x + room.width - side, wide ? room.y + (room.height - side) / 2 : room.y + room.height - side,
                 side, side};
    unsigned& divided = wide ? room.width : room.height;
    divided -= std::min(divided, side + margin);
  }
  // Two lines with a gap between.
  const unsigned scale = std::min(room.width / kTextAcross, room.height / (2 * kGlyphDown + 1));
  if (scale > 0) {
    layout.text_scale = scale;
    const unsigned height = kGlyphDown * scale;
    const unsigned top = room.y + (room.height - 2 * height - scale) / 2;
    layout.number = {room.x, top, kTextAcross * scale, height};
    layout.clock = {room.x, top + height + scale, kTextAcross * scale, height};
  }
  return layout;
}

Rectangle moving_block(Rectangle band, std::uint64_t number) {
  constexpr unsigned kPart = 16;
  constexpr unsigned kSteps = 120;  // from one side to the other
  const unsigned width = std::max(2U, band.width / kPart & ~1U);
  const unsigned way = band.width - std::min(band.width, width);
  const unsigned step = std::max(2U, way / kSteps & ~1U);
  const auto positions = std::uint64_t{way / step + 1};
  return {band.x + static_cast<unsigned>(number % positions) * step, band.y, width, band.height};
}

std::string clock_text(std::chrono::system_clock::time_point wall) {
  using std::chrono::milliseconds;
  const auto since_epoch = std::chrono::floor<milliseconds>(wall.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto time = static_cast<std::time_t>(seconds.count());
  std::tm local{};
  localtime_r(&time, &local);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", local.tm_hour, local.tm_min, local.tm_sec,
                     (since_epoch - seconds).count());
}

Pattern::Pattern(Size size, std::string name)
    : size_(size),
      name_(std::move(name)),
      layout_(lay_out_pattern(size)),
      pool_([size, layout = layout_] { return blank(size, layout); }) {
  name_.resize(std::min(name_.size(), kLongestName));
}

void Pattern::draw_qr(Yuyv& canvas, std::uint64_t number) const {
  const std::string text = fmt::format("dmmap {} frame {}", name_, number);
  const std::unique_ptr<QRcode, QrFree> code(QRcode_encodeString8bit(text.c_str(), kQrVersion, QR_ECLEVEL_M));
  if (!code) {
    canvas.fill(layout_.qr, kWhite);
    return;
  }
  // A longer text makes a bigger code with smaller modules, of the same size on the picture.
  const auto modules = static_cast<unsigned>(code->width);
  const unsigned across = modules + 2 * kQuietModules;
  const unsigned scale = std::max(1U, layout_.qr.width / across);
  std::vector<std::uint8_t> cells(std::size_t{across} * across);
  for (unsigned y = 0; y < modules; ++y) {
    const unsigned char* const line = code->data + std::size_t{y} * modules;
    std::copy(line, line + modules, cells.begin() + (y + kQuietModules) * across + kQuietModules);
  }
  canvas.cells(layout_.qr, cells, across, scale, kBlack, kWhite);
}

Picture Pattern::draw(std::uint64_t number, std::chrono::system_clock::time_point wall) {
  NewPicture picture = pool_.take();
  Yuyv canvas(*picture);
  if (layout_.band.width > 0) {
    if (picture->pts >= 0) {
      canvas.fill(moving_block(layout_.band, static_cast<std::uint64_t>(picture->pts)), kBlack);
    }
    canvas.fill(moving_block(layout_.band, number), kWhite);
  }
  picture->pts = static_cast<std::int64_t>(number);
  if (layout_.text_scale > 0) {
    canvas.text(layout_.number, std::to_string(number), layout_.text_scale);
    canvas.text(layout_.clock, clock_text(wall), layout_.text_scale);
  }
  if (layout_.qr.width > 0) {
    draw_qr(canvas, number);
  }
  if (layout_.marks) {
    draw_frame_marks(picture->data[0], picture->linesize[0], size_, static_cast<std::uint32_t>(number), 2);
  }
  return picture;
}

}  // namespace dmmap::camera
