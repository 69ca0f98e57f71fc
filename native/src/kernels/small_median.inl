// Medians of narrow windows, a vector of them at a time, by exchanging minima and maxima: of one more than half the samples neither the
// lowest nor the highest can be the median, so both are forgotten and the next sample taken, until three are left.

template <class K>
struct KeyLanes {
    static constexpr int width = 32 / sizeof(K);
    typedef K V __attribute__((vector_size(32), may_alias));
};

// Windows up to this many keys: beyond, sorting costs less.
template <class K>
static constexpr std::int64_t small_window = sizeof(K) == 4 ? 24 : 12;

template <class V>
HEADRACE_INLINE void order(V& low, V& high) {
    const V a = low, b = high;
    low = a < b ? a : b;
    high = a < b ? b : a;
}

// The keys of rank size / 2 of the windows that begin at keys, keys + 1, ... keys + count - 1. Reads and writes a vector beyond.
template <class K>
static void small_medians(const K* keys, std::int64_t size, std::int64_t count, K* out) {
    using V = typename KeyLanes<K>::V;
    constexpr int width = KeyLanes<K>::width;
    const int odd = static_cast<int>(size | 1);  // of an even number the upper median: as if there were one more, above all
    V held[small_window<K> / 2 + 3];
    for (std::int64_t t = 0; t < count; t += width) {
        const auto sample = [&](int i) {
            V v;
            if (i < size)
                __builtin_memcpy(&v, keys + t + i, sizeof v);
            else
                v = ~V{};
            return v;
        };
        int many = (odd + 1) / 2 + 1, next = many;
        if (odd == 1) many = next = 1;
        for (int i = 0; i < many; ++i) held[i] = sample(i);
        for (;; --many) {
            for (int i = 1; i < many; ++i) order(held[0], held[i]);
            for (int i = 1; i + 1 < many; ++i) order(held[i], held[many - 1]);
            if (many <= 3) break;
            held[0] = sample(next++);
        }
        const V found = many == 1 ? held[0] : held[1];
        __builtin_memcpy(out + t, &found, sizeof found);
    }
}
