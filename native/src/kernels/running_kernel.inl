// Medians and median distances of the windows around samples: a tile of outputs of some channels, one channel after the other.

// Where the parts of the scratch lie. A tile of `count` windows stands on `keys` samples; both have room for a vector more.
template <class K>
struct RankScratch {
    std::int64_t keys, count;
    K* columns;  // running_channels columns of `keys`
    K* found;    // running_channels columns of `count`
    double* values;
    std::uint64_t* words;
    RankTables<K> tables;

    RankScratch(void* memory, std::int64_t size, std::int64_t tile, std::int64_t channels)
        : keys(size + tile - 1 + KeyLanes<K>::width), count(tile + KeyLanes<K>::width) {
        auto* at = static_cast<unsigned char*>(memory);
        const auto take = [&at](std::int64_t bytes) {
            unsigned char* p = at;
            at += (bytes + 63) / 64 * 64;
            return p;
        };
        const auto item = static_cast<std::int64_t>(sizeof(K));
        columns = reinterpret_cast<K*>(take(channels * keys * item));
        found = reinterpret_cast<K*>(take(channels * count * item));
        tables.entries[0] = reinterpret_cast<KeyEntry<K>*>(take(keys * 2 * item));
        tables.entries[1] = reinterpret_cast<KeyEntry<K>*>(take(keys * 2 * item));
        tables.value = reinterpret_cast<K*>(take(keys * item));
        values = reinterpret_cast<double*>(take((keys + 2) * 8));
        tables.rank = reinterpret_cast<std::uint32_t*>(take(keys * 4));
        words = reinterpret_cast<std::uint64_t*>(take(rank_words(keys) * 8));
        tables.counts = reinterpret_cast<std::uint32_t*>(take(4 * rank_bins));
    }
};

// Samples first, first + 1, ... of some channels, in their columns.
template <class S, class K>
static void read_columns(const RunningJob& job, std::int64_t channel, std::int64_t channels, std::int64_t first, std::int64_t count,
                         const RankScratch<K>& scratch) {
    const std::int64_t apart = job.in.channels, keys = scratch.keys;
    const S* base = static_cast<const S*>(job.in.data) + channel;
    K* columns = scratch.columns;
    const auto beside = [&](std::int64_t i) {
        const std::int64_t place = border_place(first + i, job.n, job.border);
        for (std::int64_t c = 0; c < channels; ++c)
            columns[c * keys + i] = to_key(place < 0 ? *static_cast<const S*>(job.beyond) : base[(place - job.in.start) * apart + c]);
    };
    // All that lies inside the signal is there; what lies beside it is of the border's making.
    const std::int64_t before = first < 0 ? (-first < count ? -first : count) : 0;
    const std::int64_t within = job.n - first < count ? job.n - first : count;
    const std::int64_t after = within > before ? within : before;
    for (std::int64_t i = 0; i < before; ++i) beside(i);
    const S* rows = base + (first - job.in.start) * apart;
    if (apart == 1)
        for (std::int64_t i = before; i < after; ++i) columns[i] = to_key(rows[i]);
    else if (channels == running_channels)
        for (std::int64_t i = before; i < after; ++i)
            for (std::int64_t c = 0; c < running_channels; ++c) columns[c * keys + i] = to_key(rows[i * apart + c]);
    else
        for (std::int64_t i = before; i < after; ++i)
            for (std::int64_t c = 0; c < channels; ++c) columns[c * keys + i] = to_key(rows[i * apart + c]);
    for (std::int64_t i = after; i < count; ++i) beside(i);
    for (std::int64_t c = 0; c < channels; ++c)
        for (std::int64_t i = count; i < count + KeyLanes<K>::width; ++i) columns[c * keys + i] = 0;
}

// Keys in their columns, as samples of some channels.
template <class S, class K>
static void write_columns(const RunningJob& job, std::int64_t channel, std::int64_t channels, std::int64_t done, std::int64_t count,
                          const RankScratch<K>& scratch) {
    const std::int64_t apart = job.out.channels;
    const K* found = scratch.found;
    S* out = static_cast<S*>(job.out.data) + done * apart + channel;
    if (apart == 1)
        for (std::int64_t t = 0; t < count; ++t) out[t] = from_key<S>(found[t]);
    else
        for (std::int64_t t = 0; t < count; ++t)
            for (std::int64_t c = 0; c < channels; ++c) out[t * apart + c] = from_key<S>(found[c * scratch.count + t]);
}

template <class K>
static void mark_missing(const K* keys, std::int64_t size, std::int64_t count, K* found) {
    bool any = false;
    for (std::int64_t i = 0; i < size + count - 1; ++i) any |= keys[i] == ~K(0);
    std::int64_t last = -1;
    for (std::int64_t i = 0; any && i < size + count - 1; ++i) {
        if (keys[i] == ~K(0)) last = i;
        const std::int64_t t = i - size + 1;
        if (t >= 0 && last >= t) found[t] = ~K(0);
    }
}

template <class S, class K>
static void column_medians(const K* keys, std::int64_t size, std::int64_t count, const RankScratch<K>& scratch, K* found) {
    bool missing = is_floating<S>;
    const std::int64_t all = size + count - 1;
    if (size <= small_window<K>) {
        small_medians(keys, size, count, found);
    } else {
        const RankTables<K>& tables = scratch.tables;
        rank_keys<S>(keys, all, tables);
        missing = missing && tables.value[all - 1] == ~K(0);
        RankWindow window(scratch.words, tables.rank, static_cast<std::uint32_t>(all), size);
        found[0] = tables.value[window.median - rank_base];
        for (std::int64_t t = 1; t < count; ++t) {
            window.slide(t);
            found[t] = tables.value[window.median - rank_base];
        }
    }
    if (missing) mark_missing(keys, size, count, found);
}

template <class S, class K, class D>
static void column_distances(const K* keys, std::int64_t size, std::int64_t count, const RankScratch<K>& scratch, double scale,
                             std::int64_t apart, D* out) {
    const RankTables<K>& tables = scratch.tables;
    const std::int64_t all = size + count - 1;
    rank_keys<S>(keys, all, tables);
    double* values = scratch.values;  // one beyond the ranks on either side
    for (std::int64_t i = 0; i < all; ++i) values[i + 1] = static_cast<double>(from_key<S>(tables.value[i]));
    values[0] = -__builtin_inf();
    values[all + 1] = __builtin_inf();
    const auto value = [values](std::uint32_t p) { return values[p - (rank_base - 1)]; };
    RankWindow window(scratch.words, tables.rank, static_cast<std::uint32_t>(all), size);
    NearestStretch stretch(window, static_cast<std::uint32_t>(all), size, value);
    std::int64_t missing = 0;  // windows up to this one hold a NaN
    for (std::int64_t i = 0; is_floating<S> && i < size; ++i)
        if (keys[i] == ~K(0)) missing = i + 1;
    for (std::int64_t t = 0; t < count; ++t) {
        if (t > 0) {
            window.slide(t);
            if (size > 1) stretch.slide(window, window.leaving(t), window.coming(t));
            if (is_floating<S> && keys[t + size - 1] == ~K(0)) missing = t + size;
        }
        const double high = value(window.median);
        const double center = size % 2 == 1 ? high : (value(window.set.below(window.median)) + high) / 2;
        double found = size == 1 ? high - high : stretch.distance(window, center) / scale;
        if (t < missing || !(found == found)) found = __builtin_nan("");
        out[t * apart] = static_cast<D>(found);
    }
}

// Calls work(channel of the signal, first output, count, its keys, its number among the channels read together) for each column of a tile.
template <class S, class Work, class Write>
static void running_columns(const RunningJob& job, const Work& work, const Write& write) {
    using K = typename KeyOf<S>::type;
    const std::int64_t channels = job.out.channels, size = job.size, tile = running_tile(size);
    const std::int64_t together = channels < running_channels ? channels : running_channels;
    const RankScratch<K> scratch(job.scratch, size, tile, together);
    for (std::int64_t done = 0; done < job.out.count; done += tile) {
        const std::int64_t count = job.out.count - done < tile ? job.out.count - done : tile;
        for (std::int64_t channel = 0; channel < channels; channel += together) {
            const std::int64_t some = channels - channel < together ? channels - channel : together;
            read_columns<S>(job, channel, some, job.out.start + done - size / 2, size + count - 1, scratch);
            for (std::int64_t c = 0; c < some; ++c) work(scratch, scratch.columns + c * scratch.keys, done, count, channel + c, c);
            write(scratch, done, count, channel, some);
        }
    }
}

template <class S>
static void medians_of(const RunningJob& job) {
    using K = typename KeyOf<S>::type;
    running_columns<S>(
        job,
        [&job](const RankScratch<K>& scratch, const K* keys, std::int64_t, std::int64_t count, std::int64_t, std::int64_t c) {
            column_medians<S>(keys, job.size, count, scratch, scratch.found + c * scratch.count);
        },
        [&job](const RankScratch<K>& scratch, std::int64_t done, std::int64_t count, std::int64_t channel, std::int64_t some) {
            write_columns<S>(job, channel, some, done, count, scratch);
        });
}

template <class S, class D>
static void distances_of(const RunningJob& job) {
    using K = typename KeyOf<S>::type;
    running_columns<S>(
        job,
        [&job](const RankScratch<K>& scratch, const K* keys, std::int64_t done, std::int64_t count, std::int64_t channel, std::int64_t) {
            D* out = static_cast<D*>(job.out.data) + done * job.out.channels + channel;
            column_distances<S>(keys, job.size, count, scratch, job.scale, job.out.channels, out);
        },
        [](const RankScratch<K>&, std::int64_t, std::int64_t, std::int64_t, std::int64_t) {});
}

static void running_median(const RunningJob& job) {
    switch (job.in.type) {
        case SampleType::i8: return medians_of<std::int8_t>(job);
        case SampleType::u8: return medians_of<std::uint8_t>(job);
        case SampleType::i16: return medians_of<std::int16_t>(job);
        case SampleType::u16: return medians_of<std::uint16_t>(job);
        case SampleType::i32: return medians_of<std::int32_t>(job);
        case SampleType::u32: return medians_of<std::uint32_t>(job);
        case SampleType::i64: return medians_of<std::int64_t>(job);
        case SampleType::u64: return medians_of<std::uint64_t>(job);
        case SampleType::f32: return medians_of<float>(job);
        default: return medians_of<double>(job);
    }
}

template <class D>
static void distances_to(const RunningJob& job) {
    switch (job.in.type) {
        case SampleType::i8: return distances_of<std::int8_t, D>(job);
        case SampleType::u8: return distances_of<std::uint8_t, D>(job);
        case SampleType::i16: return distances_of<std::int16_t, D>(job);
        case SampleType::u16: return distances_of<std::uint16_t, D>(job);
        case SampleType::i32: return distances_of<std::int32_t, D>(job);
        case SampleType::u32: return distances_of<std::uint32_t, D>(job);
        case SampleType::f32: return distances_of<float, D>(job);
        default: return distances_of<double, D>(job);
    }
}

static void running_mad(const RunningJob& job) {
    if (job.out.type == SampleType::f32)
        distances_to<float>(job);
    else
        distances_to<double>(job);
}
