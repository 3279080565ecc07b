// Streams of the emulated driver: copies, fills, waits, events.
#include <cstring>

#include "cuda/driver/emulated_machine.h"

namespace ipa::cuda::driver {
namespace {

CopyNode plain_copy(Address to, Address from, size_t bytes) {
  CopyNode copy{};
  copy.from_type = copy.to_type = kDeviceMemory;
  copy.from_device = from, copy.to_device = to;
  copy.width = bytes, copy.height = copy.depth = 1;
  return copy;
}

}  // namespace

Result ContextOf::ask(StreamHandle stream, Work work) {
  if (!stream || !stream->late) return work();
  stream->waiting.push_back(std::move(work));
  return ++stream->asked, kSuccess;
}

Result ContextOf::finish(StreamHandle stream, uint64_t count) {
  if (!stream || !streams.holds(stream)) return kSuccess;  // one that is gone was done with
  while (stream->done < count && !stream->waiting.empty()) {
    const Work work = std::move(stream->waiting.front());
    stream->waiting.pop_front(), ++stream->done;
    if (const Result result = work()) return result;
  }
  return kSuccess;
}

Result ContextOf::finish_all() {
  Result first = kSuccess;
  streams.each([&](StreamOf& stream) {
    if (const Result result = finish(&stream, stream.asked); !first) first = result;
  });
  return first;
}

bool ContextOf::is_pinned(const void* at, size_t bytes) const {
  const auto* const from = static_cast<const std::byte*>(at);
  for (const auto& [start, block] : pinned)
    if (from >= block.memory.get() && from + bytes <= block.memory.get() + block.bytes) return true;
  return false;
}

namespace calls {

// From pinned memory when its turn comes, from any other at once.
Result copy_to_device(Address to, const void* from, size_t bytes, StreamHandle stream) noexcept {
  return in_stream(stream, [&](ContextOf& machine) {
    if (!machine.memory.holds(to, bytes) || !from) return kInvalidValue;
    if (machine.is_pinned(from, bytes))
      return machine.ask(stream, [=] { return std::memcpy(memory_at(to), from, bytes), kSuccess; });
    const auto* const start = static_cast<const std::byte*>(from);
    return machine.ask(stream, [to, staged = std::vector<std::byte>(start, start + bytes)] {
      return std::memcpy(memory_at(to), staged.data(), staged.size()), kSuccess;
    });
  });
}
Result copy_to_host(void* to, Address from, size_t bytes, StreamHandle stream) noexcept {
  return in_stream(stream, [&](ContextOf& machine) {
    if (!machine.memory.holds(from, bytes) || !to) return kInvalidValue;
    return machine.ask(stream, [=] { return std::memcpy(to, memory_at(from), bytes), kSuccess; });
  });
}
Result copy_on_device(Address to, Address from, size_t bytes, StreamHandle stream) noexcept {
  return in_stream(stream, [&](ContextOf& machine) {
    return machine.ask(stream, [&machine, copy = plain_copy(to, from, bytes)] { return machine.run(copy); });
  });
}
Result fill_bytes(Address to, unsigned char value, size_t count, StreamHandle stream) noexcept {
  return in_stream(stream, [&](ContextOf& machine) {
    return machine.ask(stream, [&machine, fill = FillNode{to, 0, value, 1, count, 1}] { return machine.run(fill); });
  });
}
Result fill_words(Address to, unsigned value, size_t count, StreamHandle stream) noexcept {
  return in_stream(stream, [&](ContextOf& machine) {
    return machine.ask(stream, [&machine, fill = FillNode{to, 0, value, 4, count, 1}] { return machine.run(fill); });
  });
}

Result stream_create(StreamHandle* stream, unsigned) noexcept {
  return in_context([&](ContextOf& machine) {
    const LateStreams late = machine.settings.late;
    const bool first = machine.streams.count() == 0;
    return *stream =
               machine.streams.create(StreamOf{late == (first ? LateStreams::first : LateStreams::others), {}, 0, 0}),
           kSuccess;
  });
}
Result stream_destroy(StreamHandle stream) noexcept {
  return in_context([&](ContextOf& machine) {
    if (!machine.streams.holds(stream)) return kInvalidHandle;
    const Result result = machine.finish(stream, stream->asked);
    return result ? result : machine.streams.destroy(stream);
  });
}
Result stream_synchronize(StreamHandle stream) noexcept {
  return in_stream(stream,
                   [&](ContextOf& machine) { return stream ? machine.finish(stream, stream->asked) : kSuccess; });
}
Result stream_query(StreamHandle stream) noexcept {
  return in_stream(stream, [&](ContextOf&) { return stream && !stream->waiting.empty() ? kNotReady : kSuccess; });
}
// An event that was never recorded is not waited for, as the driver has it.
Result stream_wait_event(StreamHandle stream, EventHandle event, unsigned) noexcept {
  return in_stream(stream, [&](ContextOf& machine) {
    if (!machine.events.holds(event)) return kInvalidHandle;
    return machine.ask(stream,
                       [&machine, from = event->stream, after = event->after] { return machine.finish(from, after); });
  });
}

Result event_create(EventHandle* event, unsigned) noexcept {
  return in_context([&](ContextOf& machine) { return *event = machine.events.create(), kSuccess; });
}
Result event_record(EventHandle event, StreamHandle stream) noexcept {
  return in_stream(stream, [&](ContextOf& machine) {
    if (!machine.events.holds(event)) return kInvalidHandle;
    event->recorded = true;
    const bool late = stream && stream->late;
    const Result result = machine.ask(stream, [&machine, event] {
      if (machine.events.holds(event)) event->time = std::chrono::steady_clock::now();
      return kSuccess;
    });
    event->stream = late ? stream : nullptr, event->after = late ? stream->asked : 0;
    return result;
  });
}
Result event_synchronize(EventHandle event) noexcept {
  return in_context([&](ContextOf& machine) {
    return machine.events.holds(event) ? machine.finish(event->stream, event->after) : kInvalidHandle;
  });
}
Result event_elapsed(float* milliseconds, EventHandle from, EventHandle to) noexcept {
  return in_context([&](ContextOf& machine) {
    if (!machine.events.holds(from) || !machine.events.holds(to) || !from->recorded || !to->recorded)
      return kInvalidHandle;
    *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
    return kSuccess;
  });
}
Result event_destroy(EventHandle event) noexcept {
  return in_context([&](ContextOf& machine) { return machine.events.destroy(event); });
}

}  // namespace calls
}  // namespace ipa::cuda::driver
