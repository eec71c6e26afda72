// Random calls against what is simply so.
#include <dmmap/region.h>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <vector>

#include "servers/camera/queue/buffer_queue.h"
#include "support/generators.h"

namespace dmmap::camera {
namespace {

constexpr std::uint64_t kBegin = std::uint64_t{1} << 20;

// Whose each buffer is, and in which order.
class Model {
 public:
  Model(std::uint32_t type, std::uint64_t space) : queue_(type, kBegin, space), space_(space) {}

  void step() {
    switch (*testing::in_range(0, 11)) {
      case 0:
        request();
        break;
      case 1:
        create();
        break;
      case 2:
      case 3:
      case 4:
        queue();
        break;
      case 5:
        dequeue();
        break;
      case 6:
        stream(*rc::gen::arbitrary<bool>());
        break;
      case 7:
      case 8:
        claim();
        break;
      case 9:
        finish();
        break;
      default:
        prepare();
        break;
    }
    check();
  }

 private:
  struct Out {
    BufferQueue::Claim claim;
    bool mine = true;  // its buffer is to be done when it's finished
    bool there = true;
  };

  std::size_t bytes() const { return *testing::in_range<std::size_t>(1, space_ / 3); }
  unsigned index() const { return *testing::in_range(0U, count_ + 2); }
  v4l2_buffer asked(unsigned index) const {
    v4l2_buffer buffer{};
    buffer.index = index;
    buffer.type = queue_.type();
    buffer.memory = V4L2_MEMORY_MMAP;
    return buffer;
  }
  bool program_has(unsigned index) const {
    return index < count_ && std::find(queued_.begin(), queued_.end(), index) == queued_.end() &&
           std::none_of(done_.begin(), done_.end(), [&](const auto& each) { return each.first == index; }) &&
           std::none_of(out_.begin(), out_.end(),
                        [&](const Out& each) { return each.there && each.claim.index == index; });
  }

  void request() {
    unsigned count = *testing::in_range(0U, 40U);
    const unsigned wanted = count;
    const int code = queue_.request(count, bytes());
    RC_ASSERT((code == EBUSY) == streaming_);
    if (streaming_) {
      return;
    }
    RC_ASSERT(code == 0 || (code == ENOMEM && count == 0));
    RC_ASSERT(count <= std::min(wanted, BufferQueue::kMostBuffers));
    RC_ASSERT(wanted == 0 || count > 0U);  // three of them always fit
    count_ = count;
    prepared_.clear();
    queued_.clear();
    done_.clear();
    for (Out& each : out_) {
      each.there = each.mine = false;
    }
    RC_ASSERT(queue_.take_freed().size() <= BufferQueue::kMostBuffers);
  }
  void create() {
    unsigned count = *testing::in_range(0U, 5U);
    unsigned first = 0;
    const int code = queue_.create(count, bytes(), first);
    RC_ASSERT(first == count_);
    RC_ASSERT(code == 0 || (code == ENOBUFS && count_ == BufferQueue::kMostBuffers) || (code == ENOMEM && count == 0));
    count_ += code == 0 ? count : 0;
  }
  void queue() {
    const unsigned which = index();
    const bool possible = program_has(which);
    v4l2_buffer buffer = asked(which);
    RC_ASSERT(queue_.queue(buffer) == (possible ? 0 : EINVAL));
    if (possible) {
      queued_.push_back(which);
      prepared_.erase(which);
    }
  }
  void prepare() {
    const unsigned which = index();
    const bool possible = program_has(which) && prepared_.count(which) == 0;
    v4l2_buffer buffer = asked(which);
    RC_ASSERT(queue_.prepare(buffer) == (possible ? 0 : EINVAL));
    if (possible) {
      prepared_[which] = true;
    }
  }
  void dequeue() {
    v4l2_buffer buffer = asked(*rc::gen::arbitrary<unsigned>());
    const int code = queue_.dequeue(buffer);
    RC_ASSERT(code == (!streaming_ ? EINVAL : (done_.empty() ? EAGAIN : 0)));
    if (code == 0) {
      RC_ASSERT(buffer.index == done_.front().first);
      RC_ASSERT(buffer.sequence == done_.front().second);
      done_.pop_front();
    }
  }
  void stream(bool on) {
    if (on) {
      RC_ASSERT(queue_.stream_on() == (streaming_ || count_ > 0 ? 0 : EINVAL));
      sequence_ = streaming_ ? sequence_ : 0;
      streaming_ = streaming_ || count_ > 0;
      return;
    }
    RC_ASSERT(queue_.stream_off() == 0);
    streaming_ = false;
    prepared_.clear();
    queued_.clear();
    done_.clear();
    for (Out& each : out_) {
      each.mine = false;
    }
  }
  void claim() {
    const auto claimed = queue_.claim();
    RC_ASSERT(claimed.has_value() == (streaming_ && !queued_.empty()));
    if (claimed) {
      RC_ASSERT(claimed->index == queued_.front());
      RC_ASSERT(claimed->sequence == sequence_);
      queued_.pop_front();
      out_.push_back({*claimed});
      ++sequence_;
    } else if (streaming_ && !queue_.output()) {
      ++sequence_;
    }
  }
  void finish() {
    if (out_.empty()) {
      return;
    }
    const auto which = *testing::in_range<std::size_t>(0, out_.size());
    const Out out = out_[which];
    out_.erase(out_.begin() + static_cast<std::ptrdiff_t>(which));
    queue_.finish(out.claim, {std::size_t{1}, Time()});
    if (out.mine) {
      done_.emplace_back(out.claim.index, out.claim.sequence);
    }
  }

  void check() const {
    RC_ASSERT(queue_.quiet() == out_.empty());
    RC_ASSERT(queue_.count() == count_);
    RC_ASSERT(queue_.queued() == queued_.size());
    RC_ASSERT(queue_.streaming() == streaming_);
    RC_ASSERT(queue_.ready() == (!streaming_ || !done_.empty()));
    std::vector<BufferQueue::Run> runs = queue_.runs_from(0);
    RC_ASSERT(runs.size() == count_);
    std::sort(runs.begin(), runs.end(), [](const auto& one, const auto& other) { return one.offset < other.offset; });
    std::uint64_t end = kBegin;
    for (const BufferQueue::Run& each : runs) {
      RC_ASSERT(each.offset >= end);
      RC_ASSERT(each.offset % page_size() == 0U);
      RC_ASSERT(each.length % page_size() == 0U);
      end = each.offset + each.length;
    }
    RC_ASSERT(end <= kBegin + space_);
    for (unsigned i = 0; i < count_; ++i) {
      v4l2_buffer buffer = asked(i);
      RC_ASSERT(queue_.query(buffer) == 0);
      const bool done = std::any_of(done_.begin(), done_.end(), [i](const auto& each) { return each.first == i; });
      const bool claimed =
          std::any_of(out_.begin(), out_.end(), [i](const Out& each) { return each.mine && each.claim.index == i; });
      const bool waits = std::find(queued_.begin(), queued_.end(), i) != queued_.end();
      RC_ASSERT(((buffer.flags & V4L2_BUF_FLAG_DONE) != 0) == done);
      RC_ASSERT(((buffer.flags & V4L2_BUF_FLAG_QUEUED) != 0) == (claimed || waits));
      RC_ASSERT(((buffer.flags & V4L2_BUF_FLAG_PREPARED) != 0) == (prepared_.count(i) > 0));
    }
  }

  BufferQueue queue_;
  const std::uint64_t space_;
  unsigned count_ = 0;
  bool streaming_ = false;
  std::uint32_t sequence_ = 0;
  std::map<unsigned, bool> prepared_;
  std::deque<unsigned> queued_;
  std::deque<std::pair<unsigned, std::uint32_t>> done_;
  std::vector<Out> out_;
};

RC_GTEST_PROP(BufferQueueModel, IsWhatTheQueueDoes, ()) {
  const bool output = *rc::gen::arbitrary<bool>();
  Model model(output ? V4L2_BUF_TYPE_VIDEO_OUTPUT : V4L2_BUF_TYPE_VIDEO_CAPTURE,
              page_size() * *testing::in_range<std::uint64_t>(6, 300));
  for (int step = 0; step < 200; ++step) {
    model.step();
  }
}

}  // namespace
}  // namespace dmmap::camera
