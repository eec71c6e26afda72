#include "programs/pictures.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <utility>

#include "servers/camera/sources/frame_mark.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {

namespace {

constexpr std::chrono::milliseconds kAtTimes{5};

std::uint8_t* bytes_in(std::string& text) {
  return static_cast<std::uint8_t*>(static_cast<void*>(text.data()));
}

const std::uint8_t* bytes_in(const std::string& text) {
  return static_cast<const std::uint8_t*>(static_cast<const void*>(text.data()));
}

}  // namespace

const camera::PixelFormat& format_of(const std::string& name) {
  return *camera::find_pixel_format(name);
}

std::size_t bytes_of(const std::string& format, Size size) {
  return camera::Layout{&format_of(format), size}.bytes();
}

Pictures noise_pictures(std::size_t count, std::size_t bytes) {
  std::mt19937 random(20);  // NOLINT(cert-msc51-cpp): the same each time
  Pictures pictures(count, std::string(bytes, '\0'));
  for (std::string& picture : pictures) {
    std::generate(picture.begin(), picture.end(), [&random] { return static_cast<char>(random()); });
  }
  return pictures;
}

Pictures marked_pictures(std::size_t count, Size size) {
  Pictures pictures(count, std::string(std::size_t{size.width} * size.height, '\0'));
  std::uint32_t number = 0;
  for (std::string& picture : pictures) {
    for (std::size_t i = 0; i < picture.size(); ++i) {
      const std::size_t x = i % size.width;
      const std::size_t y = i / size.width;
      picture[i] = static_cast<char>(16 + (x + y + number) % 220);
    }
    draw_frame_marks(bytes_in(picture), size.width, size, number++);
  }
  return pictures;
}

std::string joined(const Pictures& pictures) {
  std::string all;
  for (const std::string& each : pictures) {
    all += each;
  }
  return all;
}

Pictures split(const std::string& bytes, std::size_t each) {
  Pictures pictures;
  for (std::size_t at = 0; at < bytes.size(); at += each) {
    pictures.push_back(bytes.substr(at, each));
  }
  return pictures;
}

std::string y4m_of(const Pictures& pictures, Size size, std::string_view colour, std::string_view rate) {
  std::string stream = fmt::format("YUV4MPEG2 W{} H{} F{} Ip A1:1 C{}\n", size.width, size.height, rate, colour);
  for (const std::string& each : pictures) {
    stream += "FRAME\n" + each;
  }
  return stream;
}

Pictures pictures_of_y4m(const std::string& stream) {
  const std::size_t header = stream.find('\n');
  const std::string line = stream.substr(0, header);
  const auto side = [&line](const std::string& field) {
    const std::size_t at = line.find(field);
    return at == std::string::npos ? 0U : static_cast<unsigned>(std::atoi(line.c_str() + at + field.size()));  // NOLINT
  };
  const std::size_t bytes = bytes_of("YU12", {side(" W"), side(" H")});
  Pictures pictures;
  for (std::size_t at = header; bytes > 0 && at < stream.size();) {
    const std::size_t begin = stream.find('\n', at + 1) + 1;
    if (begin == 0 || begin + bytes > stream.size()) {
      break;
    }
    pictures.push_back(stream.substr(begin, bytes));
    at = begin + bytes - 1;
  }
  return pictures;
}

void save(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream out(file, std::ios::binary);
  out << bytes;
  ASSERT_TRUE(out.flush().good()) << file;
}

std::optional<std::uint32_t> number_in(const std::string& picture, Size size, std::size_t step) {
  if (picture.size() < size.width * step * size.height) {
    return std::nullopt;
  }
  return camera::read_frame_mark(bytes_in(picture), static_cast<std::ptrdiff_t>(size.width * step), size,
                                 static_cast<std::ptrdiff_t>(step));
}

std::vector<std::optional<std::uint32_t>> numbers_in(const Pictures& pictures, Size size, std::size_t step) {
  std::vector<std::optional<std::uint32_t>> numbers;
  for (const std::string& each : pictures) {
    numbers.push_back(number_in(each, size, step));
  }
  return numbers;
}

double apart(const std::string& one, const std::string& other) {
  if (one.size() != other.size() || one.empty()) {
    return 255;
  }
  double sum = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    sum += std::abs(static_cast<std::uint8_t>(one[i]) - static_cast<std::uint8_t>(other[i]));
  }
  return sum / static_cast<double>(one.size());
}

void expect_exact(const Pictures& original, const Pictures& captured) {
  EXPECT_EQ(captured.size(), original.size());
  for (std::size_t i = 0; i < std::min(original.size(), captured.size()); ++i) {
    const auto found = std::find(original.begin(), original.end(), captured[i]);
    ASSERT_EQ(found - original.begin(), static_cast<std::ptrdiff_t>(i))
        << "picture " << i << " of those that were captured is that one, of " << original.size() << " in all";
  }
}

FifoWriter::FifoWriter(std::filesystem::path fifo, std::string bytes)
    : fifo_(std::move(fifo)), bytes_(std::move(bytes)) {
  EXPECT_EQ(::mkfifo(fifo_.c_str(), 0666), 0);
}

FifoWriter::~FifoWriter() {
  stopped_ = true;
  if (thread_.joinable()) {
    thread_.join();
  }
}

void FifoWriter::start() {
  thread_ = std::thread([this] { write(); });
}

void FifoWriter::write() {
  // Who reads may go away: that's what EPIPE is for.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  UniqueFd fifo;
  while (!fifo && !stopped_) {
    fifo = UniqueFd(::open(fifo_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    if (!fifo) {
      std::this_thread::sleep_for(kAtTimes);  // nobody reads yet
    }
  }
  while (written_ < bytes_.size() && !stopped_) {
    pollfd room{fifo.get(), POLLOUT, 0};
    ::poll(&room, 1, static_cast<int>(kAtTimes.count()));
    const ssize_t n = ::write(fifo.get(), bytes_.data() + written_, bytes_.size() - written_);
    written_ += n > 0 ? static_cast<std::size_t>(n) : 0;
    if (n < 0 && errno != EAGAIN) {
      return;  // nobody reads any more
    }
  }
}

}  // namespace dmmap::testing
