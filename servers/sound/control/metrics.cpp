#include "servers/sound/control/metrics.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <utility>
#include <vector>

#include "servers/sound/control/status_json.h"

namespace dmmap::sound {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

struct Address {
  std::string host;  // without brackets
  std::string port;
  sockaddr_storage socket{};
  socklen_t size = 0;
};

Result<Address> parse(const std::string& where) {
  const auto wrong = [&where] {
    return fail(EINVAL, fmt::format("--metrics has to be a numeric address and a port, as 127.0.0.1:9464 or "
                                    "[::1]:9464, not '{}'",
                                    where));
  };
  const std::size_t colon = where.rfind(':');
  if (colon == std::string::npos) {
    return wrong();
  }
  Address address;
  address.host = where.substr(0, colon);
  address.port = where.substr(colon + 1);
  std::uint16_t port = 0;
  const char* const end = address.port.data() + address.port.size();
  if (const auto parsed = std::from_chars(address.port.data(), end, port);
      parsed.ec != std::errc() || parsed.ptr != end) {
    return wrong();
  }
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (::inet_pton(AF_INET, address.host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&address.socket, &four, sizeof four);
    address.size = sizeof four;
    return address;
  }
  const bool bracketed = address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']';
  if (!bracketed ||
      ::inet_pton(AF_INET6, address.host.substr(1, address.host.size() - 2).c_str(), &six.sin6_addr) != 1) {
    return wrong();
  }
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  std::memcpy(&address.socket, &six, sizeof six);
  address.size = sizeof six;
  return address;
}

// The web server says only that it couldn't.
Error why_not(const Address& address, const std::string& where) {
  const int fd = ::socket(address.socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool bound = fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address.socket), address.size) == 0;
  const int code = bound ? EIO : errno;
  if (fd >= 0) {
    ::close(fd);
  }
  return fail_errno(code, fmt::format("can't serve metrics at {}", where)).value();
}

class Families {
 public:
  void add(const std::string& name, const std::string& help, MetricType type, const Labels& labels, double value) {
    MetricFamily* family = nullptr;
    for (MetricFamily& each : families_) {
      family = each.name == name ? &each : family;
    }
    if (family == nullptr) {
      family = &families_.emplace_back(MetricFamily{name, help, type, {}});
    }
    ClientMetric metric;
    metric.label = labels;
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family->metric.push_back(std::move(metric));
  }
  void gauge(const std::string& name, const std::string& help, const Labels& labels, double value) {
    add("dmmap_sound_" + name, help, MetricType::Gauge, labels, value);
  }
  void counter(const std::string& name, const std::string& help, const Labels& labels, std::uint64_t value) {
    add("dmmap_sound_" + name + "_total", help, MetricType::Counter, labels, static_cast<double>(value));
  }
  [[nodiscard]] std::vector<MetricFamily> take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

void add_level(Families& to, const std::string& control, const Level& level) {
  const std::string help = "The card's levels, in percent.";
  to.gauge("level_percent", help, {{"control", control}, {"side", "left"}}, level.left);
  to.gauge("level_percent", help, {{"control", control}, {"side", "right"}}, level.right);
  to.gauge("muted", "Whether it's muted.", {{"control", control}}, level.muted ? 1 : 0);
}

void add_half(Families& to, const StreamStatus& stream, const HalfStatus& half, const std::string& direction) {
  const Labels labels{{"stream", std::to_string(stream.number)},
                      {"program", valid_utf8(stream.program)},
                      {"pid", std::to_string(stream.pid)},
                      {"device", stream.device},
                      {"direction", direction},
                      {"path", half.path}};
  to.gauge("stream_running", "Whether the stream's clock goes.", labels, half.running ? 1 : 0);
  to.gauge("stream_rate_hertz", "Frames a second.", labels, half.format.rate);
  to.gauge("stream_ring_bytes", "The size of its ring.", labels, static_cast<double>(half.ring));
  to.gauge("stream_fill_bytes", "What waits in its ring.", labels, static_cast<double>(half.fill));
  to.counter("stream_frames", "Frames played or recorded.", labels, half.frames);
  to.counter("stream_xruns", "Underruns of playback, overruns of recording.", labels, half.xruns);
  to.counter("stream_slips", "Times that the server was late, and the stream's clock stood still.", labels, half.slips);
}

}  // namespace

class Metrics::Card final : public prometheus::Collectable {
 public:
  explicit Card(const CardControl& card) : card_(card) {}
  [[nodiscard]] std::vector<MetricFamily> Collect() const override {
    const CardStatus status = card_.status();
    Families families;
    families.gauge("streams", "Streams that are open.", {}, static_cast<double>(status.streams.size()));
    families.counter("streams_opened", "Streams since the server began.", {}, status.totals.streams);
    families.counter("underruns", "Underruns of all streams since the server began.", {}, status.totals.underruns);
    families.counter("overruns", "Overruns of all streams since the server began.", {}, status.totals.overruns);
    families.counter("slips", "Times that the server was late, for all streams since it began.", {},
                     status.totals.slips);
    add_level(families, "master", status.master);
    add_level(families, "pcm", status.pcm);
    add_level(families, "recording", status.recording);
    for (const StreamStatus& stream : status.streams) {
      if (stream.playback) {
        add_half(families, stream, *stream.playback, "playback");
      }
      if (stream.recording) {
        add_half(families, stream, *stream.recording, "recording");
      }
    }
    return families.take();
  }

 private:
  const CardControl& card_;
};

Metrics::Metrics() = default;
Metrics::~Metrics() = default;

Result<void> check_metrics_address(const std::string& where) {
  const auto address = parse(where);
  return address ? Result<void>() : tl::unexpected(address.error());
}

Result<std::unique_ptr<Metrics>> Metrics::serve(const std::string& where, const CardControl& card) {
  const auto address = parse(where);
  if (!address) {
    return tl::unexpected(address.error());
  }
  std::unique_ptr<Metrics> self(new Metrics());
  self->card_ = std::make_shared<Card>(card);
  try {
    self->exposer_ = std::make_unique<prometheus::Exposer>(std::vector<std::string>{
        "listening_ports", where, "num_threads", "2", "request_timeout_ms", "3000", "keep_alive_timeout_ms", "500"});
  } catch (const std::exception&) {
    return tl::unexpected(why_not(*address, where));
  }
  self->exposer_->RegisterCollectable(self->card_);
  const auto ports = self->exposer_->GetListeningPorts();
  self->url_ =
      fmt::format("http://{}:{}/metrics", address->host, ports.empty() ? address->port : std::to_string(ports.front()));
  return self;
}

}  // namespace dmmap::sound
