#include "servers/sound/device/sound_filesystem.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "servers/device/client.h"
#include "servers/sound/control/control_files.h"
#include "servers/sound/device/mixer_device.h"

namespace dmmap::sound {

namespace {

// Open Sound System, /dev/mixer and on (Documentation/admin-guide/devices.txt).
constexpr std::uint32_t kSoundMajor = 14;

Result<std::shared_ptr<Region>> make_ring(device::MapKind kind, RegionId id, const char* name) {
  return device::make_region(kind, {.id = id, .size = kMostRingBytes, .name = name});
}

}  // namespace

SoundFilesystem::SoundFilesystem(SoundParts parts) : parts_(std::move(parts)) {
  add_dsp("dsp", 3, {});
  add_dsp("dsp1", 19, {});
  add_dsp("audio", 4, {Encoding::mu_law, 8000, 1});
  const auto added = add({.name = "mixer", .own_io = true, .character_device = DeviceNumber{kSoundMajor, 0}},
                         [this](const OpenRequest& /*request*/) {
                           return Result<std::shared_ptr<Stream>>(std::make_shared<MixerDevice>(card(), parts_.levels));
                         });
  const auto controlled = add_control_files(*this, *this);
  if (!added || !controlled) {
    parts_.log(LogLevel::error, (added ? controlled : added).error().message);
  }
}

std::vector<std::shared_ptr<DspStream>> SoundFilesystem::streams() const {
  std::vector<std::shared_ptr<DspStream>> open;
  const MutexLock lock(lock_);
  for (const auto& [number, stream] : streams_) {
    if (auto it = stream.lock()) {
      open.push_back(std::move(it));
    }
  }
  return open;
}

CardStatus SoundFilesystem::status() const {
  CardStatus status;
  status.master = parts_.levels.get(Control::master);
  status.pcm = parts_.levels.get(Control::pcm);
  status.recording = parts_.levels.get(Control::recording);
  const auto open = streams();
  for (const auto& stream : open) {
    status.streams.push_back(stream->status());
  }
  {
    const MutexLock lock(ended_->lock);
    status.totals = ended_->totals;
  }
  for (const auto& stream : open) {
    stream->count_into(status.totals);
  }
  // One that is being closed right now is in neither, for a moment: totals don't go back for that.
  const MutexLock lock(lock_);
  status.totals.streams = next_stream_.load() - 1;
  for (const auto count : {&CardTotals::underruns, &CardTotals::overruns, &CardTotals::slips}) {
    status.totals.*count = told_.*count = std::max(status.totals.*count, told_.*count);
  }
  return status;
}

std::shared_ptr<DspStream> SoundFilesystem::make_stream(StreamIdentity identity, DspAbilities abilities) {
  auto stream = std::make_unique<DspStream>(std::move(identity), std::move(abilities), parts_.levels, parts_.clock,
                                            parts_.engine, parts_.log);
  return {stream.release(), [ended = ended_](DspStream* closed) {
            const std::unique_ptr<DspStream> last(closed);
            const MutexLock lock(ended->lock);
            last->count_into(ended->totals);
          }};
}

template <class Change>
Result<void> SoundFilesystem::with_stream(StreamNumber number, const Change& change) {
  for (const auto& stream : streams()) {
    if (stream->number() == number.value) {
      change(*stream);
      return {};
    }
  }
  return fail(ESRCH, fmt::format("there's no stream {}", number.value));
}

Result<void> SoundFilesystem::set_level(const LevelTarget& target, unsigned left, unsigned right) {
  if (const auto* const number = std::get_if<StreamNumber>(&target)) {
    return with_stream(*number, [&](DspStream& stream) { stream.set_level(left, right); });
  }
  const Control control = std::get<Control>(target);
  parts_.levels.set(control, {left, right, parts_.levels.get(control).muted});
  return {};
}

Result<void> SoundFilesystem::set_muted(const LevelTarget& target, bool muted) {
  if (const auto* const number = std::get_if<StreamNumber>(&target)) {
    return with_stream(*number, [&](DspStream& stream) { stream.set_muted(muted); });
  }
  const Control control = std::get<Control>(target);
  Level level = parts_.levels.get(control);
  level.muted = muted;
  parts_.levels.set(control, level);
  return {};
}

CardFacts SoundFilesystem::card() const {
  return {.mmap = kind() != device::MapKind::none, .record = parts_.source != nullptr, .mountpoint = parts_.mountpoint};
}

void SoundFilesystem::add_dsp(const std::string& name, std::uint32_t minor, const AudioFormat& format) {
  const auto added = add({.name = name,
                          .mode = 0666,
                          .size = kMostRingBytes,
                          .own_io = true,
                          .character_device = DeviceNumber{kSoundMajor, minor},
                          .seekable = false},
                         [this, name, format](const OpenRequest& request) { return open_dsp(request, name, format); });
  if (!added) {
    parts_.log(LogLevel::error, added.error().message);
  }
}

void SoundFilesystem::mounted(Connection& connection) {
  DeviceFilesystem::mounted(connection);
  rings_ = device::choose_map(kRingWords, parts_.rings, connection.capabilities());
  asked_at_open_ = connection.capabilities().has(Tier::open);
}

std::string SoundFilesystem::ioctl_name(std::uint32_t command) const {
  return std::string(sound::ioctl_name(command));
}

Result<std::shared_ptr<Stream>> SoundFilesystem::open_dsp(const OpenRequest& request, const std::string& name,
                                                          const AudioFormat& format) {
  const int access = request.flags & O_ACCMODE;
  DspAbilities abilities;
  abilities.rings.play = access != O_RDONLY;
  abilities.source = access != O_WRONLY ? parts_.source : nullptr;
  abilities.rings.record = abilities.source != nullptr;
  if (!abilities.rings.play && !abilities.rings.record) {
    return fail(ENODEV, "there is nothing to record from");  // as Linux, for a card without capture
  }
  const std::uint64_t number = next_stream_.fetch_add(1);
  // What is open for writing alone can't be mapped (mmap(2), EACCES).
  auto ring = access != O_WRONLY ? make_ring(kind(), {2 * number - 1}, "dmmap-dsp") : std::shared_ptr<Region>();
  if (!ring) {
    parts_.log(LogLevel::error, fmt::format("no memory for a stream: {}", ring.error().message));
    return tl::unexpected(ring.error());
  }
  abilities.rings.first = std::move(*ring);
  abilities.rings.make = [kind = kind(), number] { return make_ring(kind, {2 * number}, "dmmap-dsp recording"); };
  // A write(2) that waits holds the inode's lock in the kernel, and storing in a paged ring takes that lock.
  abilities.rings.store_in_first = kind() == device::MapKind::shared || !abilities.rings.play;
  abilities.asked_at_open = asked_at_open_;
  abilities.card = card();
  abilities.format = format;
  auto stream =
      make_stream({number, device::program_of(request.caller.pid), request.caller.pid, name}, std::move(abilities));
  parts_.engine.add(stream);
  const MutexLock lock(lock_);
  std::erase_if(streams_, [](const auto& each) { return each.second.expired(); });
  streams_.emplace(number, stream);
  return stream;
}

}  // namespace dmmap::sound
