#include "data/batch_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace cairn::data {
namespace {

constexpr std::int64_t kGroupBytes = std::int64_t{4} << 20;
constexpr std::int64_t kGroupFilesMax = 1024;

}  // namespace

void BatchWork::clear() {
  tokens.clear();
  lengths.clear();
  origins.clear();
  values.clear();
  ends.clear();
  filled.clear();
  counts = {};
  status = ok_status();
}

std::vector<InputGroup> group_inputs(std::span<const TextInput> inputs) {
  std::vector<InputGroup> groups;
  std::int64_t bytes = 0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(inputs.size()); ++i) {
    if (groups.empty() || bytes >= kGroupBytes || i - groups.back().begin >= kGroupFilesMax) {
      groups.push_back({i, i});
      bytes = 0;
    }
    bytes += inputs[static_cast<std::size_t>(i)].bytes;
    groups.back().end = i + 1;
  }
  return groups;
}

BatchQueue::BatchQueue(FileSystem& files, std::span<const TextInput> inputs, const TextOptions& options,
                       TextPlace begin, std::size_t groups_max, std::size_t batches_max)
    : files_(files),
      inputs_(inputs),
      options_(options),
      begin_(begin),
      groups_max_(groups_max),
      batches_max_(batches_max),
      groups_(group_inputs(inputs)) {
  CHECK(groups_max >= 1 && batches_max >= 1, "nothing could be read");
  const auto is_before = [&](const InputGroup& group) { return group.end <= begin.input; };
  head_ = std::find_if_not(groups_.begin(), groups_.end(), is_before) - groups_.begin();
  open_lanes();
}

void BatchQueue::open_lanes() {
  const std::int64_t end =
      std::min(head_ + static_cast<std::int64_t>(groups_max_), static_cast<std::int64_t>(groups_.size()));
  for (std::int64_t g = lanes_.empty() ? head_ : lanes_.rbegin()->first + 1; g < end; ++g) {
    const InputGroup& group = groups_[static_cast<std::size_t>(g)];
    const TextPlace place = group.begin < begin_.input    ? begin_
                            : group.begin == begin_.input ? begin_
                                                          : TextPlace{group.begin, 0, 0};
    lanes_[g].reader = std::make_unique<TextBatchReader>(files_, inputs_, options_, place, group.end);
  }
}

// The first group with something to read that nobody is reading. When there is no room, only the batch that the writer waits
// for: otherwise one slow batch in front would let all that follows pile up, or a full house would wait for itself.
std::optional<std::int64_t> BatchQueue::choose_lane() {
  const bool has_room = num_outstanding_ < batches_max_;
  for (auto& [group, lane] : lanes_) {
    const bool is_awaited = group == head_ && lane.num_claimed == num_written_;
    if (!lane.is_busy && !lane.is_finished && (has_room || is_awaited)) {
      return group;
    }
  }
  return std::nullopt;
}

bool BatchQueue::is_all_claimed() const {
  const bool is_last_open =
      lanes_.empty() || lanes_.rbegin()->first + 1 == static_cast<std::int64_t>(groups_.size());
  return is_last_open && std::all_of(lanes_.begin(), lanes_.end(),
                                     [](const auto& entry) { return entry.second.is_finished; });
}

std::unique_ptr<BatchWork> BatchQueue::claim() {
  std::unique_lock lock(mutex_);
  while (true) {
    std::optional<std::int64_t> group;
    may_claim_.wait(lock, [&] {
      group = is_stopped_ ? std::nullopt : choose_lane();
      return group || is_stopped_ || is_all_claimed();
    });
    if (!group) {
      return nullptr;
    }
    Lane& lane = lanes_[*group];
    lane.is_busy = true;
    ++num_outstanding_;
    std::unique_ptr<BatchWork> work = free_.empty() ? std::make_unique<BatchWork>() : std::move(free_.back());
    if (!free_.empty()) {
      free_.pop_back();
    }
    lock.unlock();
    work->clear();
    const Result<bool> has_text = lane.reader->next(work->text);
    lock.lock();
    lane.is_busy = false;
    lane.is_finished = !has_text.ok() || !*has_text;
    may_claim_.notify_all();
    if (lane.is_finished) {
      lane.reader.reset();
    }
    if (has_text.ok() && !*has_text) {
      --num_outstanding_;
      free_.push_back(std::move(work));
      may_write_.notify_one();
      continue;
    }
    work->group = *group;
    work->index = lane.num_claimed++;
    if (has_text.ok()) {
      return work;
    }
    work->status = has_text.status();
    done_[{work->group, work->index}] = std::move(work);
    may_write_.notify_one();
  }
}

void BatchQueue::deliver(std::unique_ptr<BatchWork> work) {
  const std::lock_guard lock(mutex_);
  const std::pair key(work->group, work->index);
  done_[key] = std::move(work);
  may_write_.notify_one();
}

std::unique_ptr<BatchWork> BatchQueue::next() {
  std::unique_lock lock(mutex_);
  while (true) {
    // A group is done when all that was claimed of it is written and nothing is left to claim.
    while (!lanes_.empty()) {
      const Lane& lane = lanes_.begin()->second;
      if (!lane.is_finished || lane.is_busy || num_written_ < lane.num_claimed) {
        break;
      }
      lanes_.erase(lanes_.begin());
      ++head_;
      num_written_ = 0;
      open_lanes();
      may_claim_.notify_all();
    }
    if (lanes_.empty()) {
      return nullptr;
    }
    const auto found = done_.find({head_, num_written_});
    if (found != done_.end()) {
      std::unique_ptr<BatchWork> work = std::move(found->second);
      done_.erase(found);
      return work;
    }
    may_write_.wait(lock);
  }
}

void BatchQueue::give_back(std::unique_ptr<BatchWork> work) {
  const std::lock_guard lock(mutex_);
  ++num_written_;
  --num_outstanding_;
  free_.push_back(std::move(work));
  may_claim_.notify_all();
}

void BatchQueue::stop() {
  const std::lock_guard lock(mutex_);
  is_stopped_ = true;
  may_claim_.notify_all();
}

}  // namespace cairn::data
