// The rules of videobuf2, one by one (drivers/media/common/videobuf2: videobuf2-core.c, videobuf2-v4l2.c).
#include "servers/camera/queue/buffer_queue.h"

#include <dmmap/region.h>

#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <limits>
#include <set>

namespace dmmap::camera {
namespace {

constexpr std::uint32_t kCapture = V4L2_BUF_TYPE_VIDEO_CAPTURE;
constexpr std::uint32_t kOutput = V4L2_BUF_TYPE_VIDEO_OUTPUT;
constexpr std::uint64_t kSpace = std::uint64_t{1} << 20;
constexpr std::size_t kBytes = 5000;  // two pages
constexpr std::uint32_t kIn = POLLIN | POLLRDNORM;
constexpr std::uint32_t kOut = POLLOUT | POLLWRNORM;
constexpr std::uint32_t kStates =
    V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_PREPARED | V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_MAPPED;

class BufferQueueTest : public ::testing::Test {
 protected:
  static v4l2_buffer asked(unsigned index, std::uint32_t type = kCapture) {
    v4l2_buffer buffer{};
    buffer.index = index;
    buffer.type = type;
    buffer.memory = V4L2_MEMORY_MMAP;
    return buffer;
  }
  // What each call makes of such a buffer.
  static int queue(BufferQueue& of, unsigned index) {
    v4l2_buffer buffer = asked(index, of.type());
    return of.queue(buffer);
  }
  static int prepare(BufferQueue& of, unsigned index) {
    v4l2_buffer buffer = asked(index, of.type());
    return of.prepare(buffer);
  }
  static int dequeue(BufferQueue& of, v4l2_buffer& buffer) {
    buffer = asked(0, of.type());
    return of.dequeue(buffer);
  }
  static int dequeue(BufferQueue& of) {
    v4l2_buffer buffer{};
    return dequeue(of, buffer);
  }
  static v4l2_buffer query(const BufferQueue& of, unsigned index) {
    v4l2_buffer buffer = asked(index, of.type());
    EXPECT_EQ(of.query(buffer), 0);
    return buffer;
  }
  static std::uint32_t state(const BufferQueue& of, unsigned index) { return query(of, index).flags & kStates; }
  static unsigned request(BufferQueue& of, unsigned count, std::size_t bytes = kBytes) {
    EXPECT_EQ(of.request(count, bytes), 0);
    return count;
  }
  // A claim that there has to be.
  static BufferQueue::Claim claim(BufferQueue& of) {
    const auto claimed = of.claim();
    EXPECT_TRUE(claimed);
    return claimed.value_or(BufferQueue::Claim{});
  }
  static void fill(BufferQueue& of, std::size_t bytes = kBytes, Time time = {}) { of.finish(claim(of), {bytes, time}); }

  BufferQueue capture{kCapture, 0, kSpace};
  BufferQueue output{kOutput, kSpace, kSpace};
};

TEST_F(BufferQueueTest, RequestMakesBuffersOfWholePagesThatDoNotOverlap) {
  EXPECT_FALSE(capture.allocated());
  EXPECT_EQ(request(capture, 3), 3U);
  EXPECT_TRUE(capture.allocated());
  EXPECT_EQ(capture.count(), 3U);
  std::set<std::uint32_t> offsets;
  for (unsigned i = 0; i < 3; ++i) {
    const v4l2_buffer buffer = query(capture, i);
    EXPECT_EQ(buffer.index, i);
    EXPECT_EQ(buffer.memory, std::uint32_t{V4L2_MEMORY_MMAP});
    EXPECT_EQ(buffer.length, 2 * page_size());
    EXPECT_EQ(buffer.m.offset % (2 * page_size()), 0U);
    EXPECT_EQ(buffer.flags, std::uint32_t{V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC});
    offsets.insert(buffer.m.offset);
  }
  EXPECT_EQ(offsets.size(), 3U);
  EXPECT_EQ(request(output, 1), 1U);
  EXPECT_EQ(query(output, 0).m.offset, kSpace) << "where its space begins";
  EXPECT_EQ(query(output, 0).flags, std::uint32_t{V4L2_BUF_FLAG_TIMESTAMP_COPY});
}

TEST_F(BufferQueueTest, RequestGivesNoMoreThanThereCanBe) {
  EXPECT_EQ(request(capture, 1000), BufferQueue::kMostBuffers);
  EXPECT_EQ(request(capture, 1000, kSpace / 4), 4U) << "as many as there's room for";
  unsigned count = 1;
  EXPECT_EQ(capture.request(count, kSpace + 1), ENOMEM);
  count = 1;
  EXPECT_EQ(capture.request(count, std::numeric_limits<std::size_t>::max()), ENOMEM);
  EXPECT_FALSE(capture.allocated());
}

TEST_F(BufferQueueTest, RequestWhileItStreamsIsRefused) {
  request(capture, 2);
  ASSERT_EQ(capture.stream_on(), 0);
  for (unsigned count : {0U, 4U}) {
    EXPECT_EQ(capture.request(count, kBytes), EBUSY);
  }
  EXPECT_EQ(capture.count(), 2U);
  capture.stream_off();
  EXPECT_EQ(request(capture, 0), 0U);
  EXPECT_FALSE(capture.allocated());
}

TEST_F(BufferQueueTest, CreateAddsBuffersEvenWhileItStreams) {
  request(capture, 2);
  ASSERT_EQ(capture.stream_on(), 0);
  unsigned first = 77;
  unsigned count = 3;
  EXPECT_EQ(capture.create(count, 3 * page_size(), first), 0);
  EXPECT_EQ(first, 2U);
  EXPECT_EQ(count, 3U);
  EXPECT_EQ(query(capture, 2).length, 3 * page_size());
  EXPECT_EQ(query(capture, 1).length, 2 * page_size());
  EXPECT_EQ(capture.runs_from(2).size(), 3U);
}

TEST_F(BufferQueueTest, CreateOfNoneSaysWhereTheNextWouldBe) {
  request(capture, 2);
  unsigned first = 77;
  unsigned count = 0;
  EXPECT_EQ(capture.create(count, kBytes, first), 0);
  EXPECT_EQ(first, 2U);
  EXPECT_EQ(capture.count(), 2U);
}

TEST_F(BufferQueueTest, CreateBeyondTheMostIsRefused) {
  request(capture, BufferQueue::kMostBuffers - 1);
  unsigned first = 0;
  unsigned count = 5;
  EXPECT_EQ(capture.create(count, kBytes, first), 0);
  EXPECT_EQ(count, 1U);
  count = 1;
  EXPECT_EQ(capture.create(count, kBytes, first), ENOBUFS);
}

TEST_F(BufferQueueTest, WhatIsNoBufferIsRefused) {
  v4l2_buffer none = asked(0);
  EXPECT_EQ(capture.query(none), EINVAL);
  request(capture, 2);
  ASSERT_EQ(capture.stream_on(), 0);
  for (const v4l2_buffer& wrong : {asked(2), asked(std::numeric_limits<std::uint32_t>::max()), asked(0, kOutput)}) {
    v4l2_buffer buffer = wrong;
    EXPECT_EQ(capture.query(buffer), EINVAL);
    buffer = wrong;
    EXPECT_EQ(capture.queue(buffer), EINVAL);
    buffer = wrong;
    EXPECT_EQ(capture.prepare(buffer), EINVAL);
  }
  v4l2_buffer other = asked(0, kOutput);
  EXPECT_EQ(capture.dequeue(other), EINVAL);
  v4l2_buffer pointer = asked(0);
  pointer.memory = V4L2_MEMORY_USERPTR;
  EXPECT_EQ(capture.queue(pointer), EINVAL);
  EXPECT_EQ(capture.prepare(pointer), EINVAL);
  EXPECT_EQ(capture.queued(), 0U);
}

TEST_F(BufferQueueTest, NoRequestsAreTaken) {
  request(capture, 1);
  v4l2_buffer buffer = asked(0);
  buffer.flags = V4L2_BUF_FLAG_REQUEST_FD;
  EXPECT_EQ(capture.prepare(buffer), EINVAL);
  buffer = asked(0);
  buffer.flags = V4L2_BUF_FLAG_REQUEST_FD;
  EXPECT_EQ(capture.queue(buffer), EBADR);
  EXPECT_EQ(state(capture, 0), 0U);
}

TEST_F(BufferQueueTest, FlagsSayWhoseABufferIs) {
  request(capture, 1);
  EXPECT_EQ(state(capture, 0), 0U);
  EXPECT_EQ(prepare(capture, 0), 0);
  EXPECT_EQ(state(capture, 0), std::uint32_t{V4L2_BUF_FLAG_PREPARED});
  EXPECT_EQ(queue(capture, 0), 0);
  EXPECT_EQ(state(capture, 0), std::uint32_t{V4L2_BUF_FLAG_QUEUED});
  ASSERT_EQ(capture.stream_on(), 0);
  const auto claimed = claim(capture);
  EXPECT_EQ(state(capture, 0), std::uint32_t{V4L2_BUF_FLAG_QUEUED}) << "still the server's";
  capture.finish(claimed, {kBytes, {}});
  EXPECT_EQ(state(capture, 0), std::uint32_t{V4L2_BUF_FLAG_DONE});
  EXPECT_EQ(dequeue(capture), 0);
  EXPECT_EQ(state(capture, 0), 0U);
}

TEST_F(BufferQueueTest, ABufferIsQueuedOnceAndPreparedOnce) {
  request(capture, 1);
  EXPECT_EQ(prepare(capture, 0), 0);
  EXPECT_EQ(prepare(capture, 0), EINVAL);
  EXPECT_EQ(queue(capture, 0), 0);
  EXPECT_EQ(queue(capture, 0), EINVAL);
  EXPECT_EQ(prepare(capture, 0), EINVAL);
  EXPECT_EQ(capture.queued(), 1U);
  ASSERT_EQ(capture.stream_on(), 0);
  const auto claimed = claim(capture);
  EXPECT_EQ(queue(capture, 0), EINVAL) << "claimed";
  capture.finish(claimed, {kBytes, {}});
  EXPECT_EQ(queue(capture, 0), EINVAL) << "done";
  EXPECT_EQ(dequeue(capture), 0);
  EXPECT_EQ(queue(capture, 0), 0);
}

TEST_F(BufferQueueTest, StreamingNeedsBuffersAndStartsOnce) {
  EXPECT_EQ(capture.stream_on(), EINVAL);
  EXPECT_FALSE(capture.streaming());
  request(capture, 1);
  EXPECT_EQ(capture.stream_on(), 0);
  EXPECT_EQ(capture.stream_on(), 0);
  EXPECT_TRUE(capture.streaming());
  EXPECT_EQ(capture.stream_off(), 0);
  EXPECT_EQ(capture.stream_off(), 0) << "also when it has ended already";
  EXPECT_FALSE(capture.streaming());
}

TEST_F(BufferQueueTest, DequeueNeedsAStreamAndADoneBuffer) {
  request(capture, 1);
  ASSERT_EQ(queue(capture, 0), 0);
  EXPECT_EQ(dequeue(capture), EINVAL) << "it doesn't stream";
  EXPECT_TRUE(capture.ready());
  ASSERT_EQ(capture.stream_on(), 0);
  EXPECT_EQ(dequeue(capture), EAGAIN);
  EXPECT_FALSE(capture.ready());
  fill(capture);
  EXPECT_TRUE(capture.ready());
  EXPECT_EQ(dequeue(capture), 0);
  EXPECT_EQ(dequeue(capture), EAGAIN);
}

TEST_F(BufferQueueTest, WhatWasFilledIsToldWithTheBuffer) {
  request(capture, 2);
  ASSERT_EQ(queue(capture, 1), 0);
  ASSERT_EQ(capture.stream_on(), 0);
  const auto claimed = claim(capture);
  EXPECT_EQ(claimed.index, 1U);
  EXPECT_EQ(claimed.offset, query(capture, 1).m.offset);
  EXPECT_EQ(claimed.length, 2 * page_size());
  capture.finish(claimed, {4321, Time(std::chrono::microseconds(12'345'678))});
  v4l2_buffer buffer{};
  ASSERT_EQ(dequeue(capture, buffer), 0);
  EXPECT_EQ(buffer.index, 1U);
  EXPECT_EQ(buffer.bytesused, 4321U);
  EXPECT_EQ(buffer.timestamp.tv_sec, 12);
  EXPECT_EQ(buffer.timestamp.tv_usec, 345'678);
  EXPECT_EQ(buffer.field, std::uint32_t{V4L2_FIELD_NONE});
  EXPECT_EQ(buffer.type, kCapture);
}

TEST_F(BufferQueueTest, APictureThatFailedIsShownAsBrokenOnce) {
  request(capture, 1);
  ASSERT_EQ(queue(capture, 0), 0);
  ASSERT_EQ(capture.stream_on(), 0);
  capture.finish(claim(capture), {std::nullopt, {}});
  v4l2_buffer buffer{};
  ASSERT_EQ(dequeue(capture, buffer), 0);
  EXPECT_NE(buffer.flags & V4L2_BUF_FLAG_ERROR, 0U);
  EXPECT_EQ(buffer.bytesused, 0U);
  ASSERT_EQ(queue(capture, 0), 0);
  EXPECT_EQ(state(capture, 0), std::uint32_t{V4L2_BUF_FLAG_QUEUED});
}

TEST_F(BufferQueueTest, PicturesWithoutABufferLeaveGapsInTheSequence) {
  request(capture, 2);
  ASSERT_EQ(queue(capture, 0), 0);
  EXPECT_FALSE(capture.claim()) << "it doesn't stream";
  ASSERT_EQ(capture.stream_on(), 0);
  fill(capture);
  EXPECT_FALSE(capture.claim());
  EXPECT_FALSE(capture.claim());
  EXPECT_EQ(capture.dropped(), 2U);
  ASSERT_EQ(queue(capture, 1), 0);
  fill(capture);
  v4l2_buffer buffer{};
  ASSERT_EQ(dequeue(capture, buffer), 0);
  EXPECT_EQ(buffer.sequence, 0U);
  ASSERT_EQ(dequeue(capture, buffer), 0);
  EXPECT_EQ(buffer.sequence, 3U);
  capture.stream_off();
  ASSERT_EQ(queue(capture, 0), 0);
  ASSERT_EQ(capture.stream_on(), 0);
  EXPECT_EQ(claim(capture).sequence, 0U) << "it counts from STREAMON on";
  EXPECT_EQ(capture.dropped(), 0U);
}

TEST_F(BufferQueueTest, AnOutputThatHasNothingToShowLeavesNoGap) {
  request(output, 1);
  ASSERT_EQ(output.stream_on(), 0);
  EXPECT_FALSE(output.claim());
  ASSERT_EQ(queue(output, 0), 0);
  EXPECT_EQ(claim(output).sequence, 0U);
  EXPECT_EQ(output.dropped(), 0U);
}

TEST_F(BufferQueueTest, StreamOffGivesAllBuffersBack) {
  request(capture, 4);
  for (unsigned i = 0; i < 3; ++i) {
    ASSERT_EQ(queue(capture, i), 0);
  }
  ASSERT_EQ(prepare(capture, 3), 0);
  ASSERT_EQ(capture.stream_on(), 0);
  fill(capture);
  const auto claimed = claim(capture);
  EXPECT_FALSE(capture.quiet());
  capture.stream_off();
  EXPECT_FALSE(capture.quiet()) << "somebody still fills it";
  EXPECT_EQ(capture.queued(), 0U);
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_EQ(state(capture, i), 0U) << i;
  }
  EXPECT_EQ(queue(capture, claimed.index), EINVAL) << "not before it's let go of";
  capture.finish(claimed, {kBytes, {}});
  EXPECT_TRUE(capture.quiet());
  EXPECT_EQ(queue(capture, claimed.index), 0);
  ASSERT_EQ(capture.stream_on(), 0);
  EXPECT_EQ(dequeue(capture), EAGAIN) << "a picture of before is nobody's";
}

TEST_F(BufferQueueTest, AClaimOutlivesAStreamThatIsStartedAnew) {
  request(capture, 2);
  ASSERT_EQ(queue(capture, 0), 0);
  ASSERT_EQ(queue(capture, 1), 0);
  ASSERT_EQ(capture.stream_on(), 0);
  const auto claimed = claim(capture);
  capture.stream_off();
  ASSERT_EQ(queue(capture, 1), 0);
  ASSERT_EQ(capture.stream_on(), 0);
  capture.stream_off();
  ASSERT_EQ(capture.stream_on(), 0);
  EXPECT_EQ(queue(capture, 0), EINVAL);
  capture.finish(claimed, {kBytes, {}});
  EXPECT_EQ(dequeue(capture), EAGAIN);
  EXPECT_EQ(queue(capture, 0), 0);
}

TEST_F(BufferQueueTest, AClaimOutlivesItsBuffers) {
  request(capture, 1);
  ASSERT_EQ(queue(capture, 0), 0);
  ASSERT_EQ(capture.stream_on(), 0);
  const auto claimed = claim(capture);
  capture.stream_off();
  request(capture, 1);
  EXPECT_FALSE(capture.quiet());
  ASSERT_EQ(queue(capture, 0), 0);
  ASSERT_EQ(capture.stream_on(), 0);
  capture.finish(claimed, {kBytes, {}});
  EXPECT_TRUE(capture.quiet());
  EXPECT_EQ(dequeue(capture), EAGAIN) << "that was another buffer";
  EXPECT_EQ(state(capture, 0), std::uint32_t{V4L2_BUF_FLAG_QUEUED});
  fill(capture);
  EXPECT_EQ(dequeue(capture), 0);
}

TEST_F(BufferQueueTest, AnOutputBufferComesBackAsItsProgramFilledIt) {
  request(output, 1);
  ASSERT_EQ(output.stream_on(), 0);
  v4l2_buffer buffer = asked(0, kOutput);
  buffer.bytesused = 1234;
  buffer.field = V4L2_FIELD_TOP;
  buffer.timestamp = {.tv_sec = 7, .tv_usec = 8};
  buffer.timecode.hours = 9;
  buffer.flags = V4L2_BUF_FLAG_TIMECODE | V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_ERROR;
  ASSERT_EQ(output.queue(buffer), 0);
  const auto claimed = claim(output);
  EXPECT_EQ(claimed.length, 1234U);
  output.finish(claimed, {1234, Time(std::chrono::hours(1))});
  ASSERT_EQ(dequeue(output, buffer), 0);
  EXPECT_EQ(buffer.bytesused, 1234U);
  EXPECT_EQ(buffer.field, std::uint32_t{V4L2_FIELD_TOP});
  EXPECT_EQ(buffer.timestamp.tv_sec, 7) << "its own time, not when it was shown";
  EXPECT_EQ(buffer.timecode.hours, 9);
  EXPECT_EQ(buffer.flags,
            std::uint32_t{V4L2_BUF_FLAG_TIMESTAMP_COPY | V4L2_BUF_FLAG_TIMECODE | V4L2_BUF_FLAG_KEYFRAME});
}

TEST_F(BufferQueueTest, AnOutputBufferIsCheckedAndZeroBytesMeanAll) {
  request(output, 1);
  v4l2_buffer buffer = asked(0, kOutput);
  buffer.bytesused = static_cast<std::uint32_t>(2 * page_size() + 1);
  EXPECT_EQ(output.queue(buffer), EINVAL);
  EXPECT_EQ(output.prepare(buffer), EINVAL);
  buffer = asked(0, kOutput);
  buffer.field = V4L2_FIELD_ALTERNATE;
  EXPECT_EQ(output.queue(buffer), EINVAL);
  EXPECT_EQ(queue(output, 0), 0);
  EXPECT_EQ(query(output, 0).bytesused, 2 * page_size());
  EXPECT_EQ(query(output, 0).field, std::uint32_t{V4L2_FIELD_NONE});
}

TEST_F(BufferQueueTest, WhatWasPreparedIsQueuedAsItWasThen) {
  request(output, 1);
  v4l2_buffer buffer = asked(0, kOutput);
  buffer.bytesused = 100;
  ASSERT_EQ(output.prepare(buffer), 0);
  buffer = asked(0, kOutput);
  buffer.bytesused = 200;
  buffer.timestamp = {.tv_sec = 5, .tv_usec = 0};
  ASSERT_EQ(output.queue(buffer), 0);
  EXPECT_EQ(buffer.bytesused, 100U);
  EXPECT_EQ(buffer.timestamp.tv_sec, 5) << "which is copied at QBUF";
}

TEST_F(BufferQueueTest, PollTellsOfACapture) {
  EXPECT_EQ(capture.poll(), std::uint32_t{POLLERR});
  request(capture, 1);
  EXPECT_EQ(capture.poll(), std::uint32_t{POLLERR});
  ASSERT_EQ(capture.stream_on(), 0);
  EXPECT_EQ(capture.poll(), std::uint32_t{POLLERR}) << "nothing was queued since";
  ASSERT_EQ(queue(capture, 0), 0);
  EXPECT_EQ(capture.poll(), 0U);
  fill(capture);
  EXPECT_EQ(capture.poll(), kIn);
  ASSERT_EQ(dequeue(capture), 0);
  EXPECT_EQ(capture.poll(), 0U);
  capture.stream_off();
  EXPECT_EQ(capture.poll(), std::uint32_t{POLLERR});
}

TEST_F(BufferQueueTest, PollTellsOfAnOutput) {
  request(output, 1);
  EXPECT_EQ(output.poll(), std::uint32_t{POLLERR});
  ASSERT_EQ(output.stream_on(), 0);
  EXPECT_EQ(output.poll(), 0U);
  ASSERT_EQ(queue(output, 0), 0);
  output.finish(claim(output), {1, {}});
  EXPECT_EQ(output.poll(), kOut);
}

TEST_F(BufferQueueTest, BuffersAreMappedWholeOrFromTheirStart) {
  request(capture, 2);
  const std::uint64_t offset = query(capture, 1).m.offset;
  EXPECT_TRUE(capture.is_buffer(offset, 1));
  EXPECT_TRUE(capture.is_buffer(offset, 2 * page_size()));
  EXPECT_FALSE(capture.is_buffer(offset, 0));
  EXPECT_FALSE(capture.is_buffer(offset, 2 * page_size() + 1));
  EXPECT_FALSE(capture.is_buffer(offset + page_size(), page_size()));
  EXPECT_FALSE(capture.is_buffer(offset, std::numeric_limits<std::uint64_t>::max())) << "nothing wraps around";
  EXPECT_FALSE(capture.is_buffer(offset, std::uint64_t{0} - page_size() + 1));
  capture.mapped(offset);
  capture.mapped(offset);
  EXPECT_EQ(state(capture, 0), 0U);
  EXPECT_EQ(state(capture, 1), std::uint32_t{V4L2_BUF_FLAG_MAPPED});
  capture.unmapped(offset);
  EXPECT_EQ(state(capture, 1), std::uint32_t{V4L2_BUF_FLAG_MAPPED});
  capture.unmapped(offset);
  capture.unmapped(offset);
  EXPECT_EQ(state(capture, 1), 0U);
}

TEST_F(BufferQueueTest, FreedMemoryIsToldOnceAndGivenAgainLast) {
  request(capture, 2);
  EXPECT_TRUE(capture.take_freed().empty());
  std::uint64_t last = 0;
  // 1 MiB holds 128 buffers of 8 KiB: 64 rounds of two.
  std::set<std::uint64_t> seen{query(capture, 0).m.offset, query(capture, 1).m.offset};
  for (int round = 1; round < 64; ++round) {
    request(capture, 2);
    EXPECT_EQ(capture.take_freed().size(), 2U);
    EXPECT_TRUE(capture.take_freed().empty());
    for (unsigned i = 0; i < 2; ++i) {
      last = query(capture, i).m.offset;
      EXPECT_TRUE(seen.insert(last).second) << "offset " << last << " in round " << round;
    }
  }
  request(capture, 2);
  EXPECT_EQ(query(capture, 0).m.offset, 0U) << "from the start again, when there's no other";
}

TEST_F(BufferQueueTest, ASmallBufferFindsRoomBehindALargeOne) {
  const std::uint64_t page = page_size();
  ASSERT_EQ(kSpace, 256 * page);
  const auto create = [&](std::size_t pages) {
    unsigned first = 0;
    unsigned count = 1;
    EXPECT_EQ(capture.create(count, pages * page, first), 0);
    return capture.runs_from(first).at(0).offset / page;
  };
  request(capture, 1, 100 * page);
  request(capture, 1, 100 * page);
  EXPECT_EQ(create(50), 200U);
  EXPECT_EQ(create(96), 0U) << "there's no more room behind";
  EXPECT_EQ(create(5), 250U) << "over the two large ones";
}

}  // namespace
}  // namespace dmmap::camera
