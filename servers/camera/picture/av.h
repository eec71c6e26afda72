// What holds libav's objects, and makes a picture's buffers.
//
// Promises: everything is freed by who held it last. Thread safety: every function, from any thread.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "servers/camera/picture/picture.h"
#include "servers/camera/picture/pixel_format.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>
}

namespace dmmap::camera {

struct AvFrameFree {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct AvPacketFree {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct AvCodecFree {
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
};
struct AvInputClose {
  void operator()(AVFormatContext* input) const { avformat_close_input(&input); }
};
struct SwsFree {
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

using AvFrame = std::unique_ptr<AVFrame, AvFrameFree>;
using AvPacket = std::unique_ptr<AVPacket, AvPacketFree>;
using AvCodec = std::unique_ptr<AVCodecContext, AvCodecFree>;
using AvInput = std::unique_ptr<AVFormatContext, AvInputClose>;
using Scaler = std::unique_ptr<SwsContext, SwsFree>;

/// A picture that is still to be drawn: as a Picture it stays as it is.
using NewPicture = std::shared_ptr<AVFrame>;

/// Lines begin at multiples of 64 bytes, for libswscale's sake. What the pixels are at first isn't said.
/// REQUIRES: `av_format` is an enum AVPixelFormat other than AV_PIX_FMT_NONE, and no side is 0. Throws std::bad_alloc.
[[nodiscard]] inline NewPicture new_picture(int av_format, Size size) {
  constexpr int kAlignment = 64;
  NewPicture picture(av_frame_alloc(), AvFrameFree());
  if (!picture) {
    throw std::bad_alloc();
  }
  picture->format = av_format;
  picture->width = static_cast<int>(size.width);
  picture->height = static_cast<int>(size.height);
  if (av_frame_get_buffer(picture.get(), kAlignment) < 0) {
    throw std::bad_alloc();
  }
  return picture;
}

/// What YUV means, in libavutil's numbers: ITU-R BT.601 of limited range where it isn't said.
struct Colours {
  AVColorSpace matrix = AVCOL_SPC_UNSPECIFIED;
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
};

/// A picture that lies in somebody else's memory, which `owner` keeps.
/// REQUIRES: `bytes` has layout.bytes(); the format isn't compressed. Throws std::bad_alloc.
[[nodiscard]] inline Picture picture_at(const Layout& layout, std::span<std::byte> bytes, std::shared_ptr<void> owner,
                                        const Colours& colours = {}) {
  AvFrame frame(av_frame_alloc());
  if (!frame) {
    throw std::bad_alloc();
  }
  frame->format = layout.format->av;
  frame->width = static_cast<int>(layout.size.width);
  frame->height = static_cast<int>(layout.size.height);
  frame->colorspace = colours.matrix;
  frame->color_range = colours.range;
  auto* const start = static_cast<std::uint8_t*>(static_cast<void*>(bytes.data()));
  av_image_fill_arrays(&frame->data[0], &frame->linesize[0], start, static_cast<AVPixelFormat>(frame->format),
                       frame->width, frame->height, 1);
  return {frame.release(), [owner = std::move(owner)](AVFrame* let_go) { av_frame_free(&let_go); }};
}

/// What an AVERROR says.
[[nodiscard]] inline std::string av_error(int error) {
  constexpr std::size_t kLongest = AV_ERROR_MAX_STRING_SIZE;
  std::string text(kLongest, '\0');
  av_strerror(error, text.data(), text.size());
  text.resize(text.find('\0'));
  return text;
}

/// The errno of an AVERROR that has one; EIO for the rest, which are libav's own.
[[nodiscard]] inline int av_errno(int error) {
  constexpr int kMost = 200;
  const int code = AVUNERROR(error);
  return code > 0 && code < kMost ? code : EIO;
}

[[nodiscard]] inline Size size_of(const AVFrame& picture) {
  return {static_cast<unsigned>(picture.width), static_cast<unsigned>(picture.height)};
}

}  // namespace dmmap::camera
