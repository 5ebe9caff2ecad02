/*
 * A detector in C: spots that are brighter than the mean of their surroundings in the same zone, as dust on a clean
 * glass looks under coaxial light. An example, small enough to read; it compiles as C++ too. Build it from the folder
 * above with
 *
 *     cc -O2 -fPIC -shared -fvisibility=hidden -I include -o bright_spots.so examples/bright_spots.c
 *
 * and put bright_spots.so into a workspace's plugins/. Then name it in ferrule.toml:
 *
 *     [pipeline]
 *     detect = ["bright-spots"]
 */
#include <stdlib.h>

#include "ferrule_plugin.h"

/* ------------------------------------------------------------------------------------------------- description --- */

static const char *const WHERE[] = {"glass", "everywhere"};

static const FerruleParameterSpec PARAMETERS[] = {
    FERRULE_REAL("contrast", 40.0, 1.0, 255.0, "gray", "how far above its surroundings a pixel of a spot is"),
    FERRULE_INTEGER("radius", 12, 2, 200, "px", "how far the surroundings reach, in each direction"),
    FERRULE_INTEGER("min_area", 4, 1, 1000000, "px", "smallest spot"),
    FERRULE_CHOICE("where", "glass", WHERE, "only on core and cladding, or on every zone"),
};

static const FerruleDescriptor DESCRIPTOR = {
    "bright-spots",
    "1.0.0",
    "spots brighter than the mean around them",
    FERRULE_SLOT_DETECT,
    FERRULE_PROFILE_NARROW,
    FERRULE_FORMAT_GRAY8,
    PARAMETERS,
    FERRULE_COUNT(PARAMETERS),
};

static int32_t describe(const FerruleHost *host)
{
    host->add_plugin(host, &DESCRIPTOR);
    return FERRULE_OK;
}

/* ---------------------------------------------------------------------------------------------------- instance --- */

typedef struct BrightSpots {
    double contrast;
    uint32_t radius;
    size_t min_area;
    uint32_t last_zone; /* the outermost zone to look at */

    /* Buffers for pictures of `pixels` pixels, kept from one to the next. The sums have a row and a column more. */
    size_t pixels, corners;
    uint64_t *sums;    /* of gray levels, of all pixels above and to the left */
    uint32_t *counts;  /* of pixels, likewise */
    uint8_t *mask;     /* BRIGHT or GATHERED or 0 */
    size_t *waiting;   /* pixels of a spot whose neighbours are still to be looked at */
    FerruleRun *runs;  /* of one spot */
} BrightSpots;

enum { BRIGHT = 1, GATHERED = 2 };

static void destroy(void *instance)
{
    BrightSpots *spots = (BrightSpots *)instance;
    free(spots->sums);
    free(spots->counts);
    free(spots->mask);
    free(spots->waiting);
    free(spots->runs);
    free(spots);
}

static void *create(const char *id, const FerruleNamedValue *parameters, size_t count, const FerruleHost *host)
{
    BrightSpots *spots = (BrightSpots *)calloc(1, sizeof *spots);
    (void)id; /* the library offers only one */
    if (spots == NULL) {
        host->fail(host, "out of memory");
        return NULL;
    }
    /* The host has checked names, types and ranges. */
    spots->contrast = ferrule_parameter(parameters, count, "contrast")->real;
    spots->radius = (uint32_t)ferrule_parameter(parameters, count, "radius")->integer;
    spots->min_area = (size_t)ferrule_parameter(parameters, count, "min_area")->integer;
    spots->last_zone = FERRULE_ZONE_FERRULE;
    if (strcmp(ferrule_parameter(parameters, count, "where")->text, "glass") == 0) {
        spots->last_zone = FERRULE_ZONE_CLADDING;
    }
    return spots;
}

/* Makes the buffers large enough; 0 if there is no memory. */
static int reserve(BrightSpots *spots, const FerruleImage *image)
{
    size_t pixels = (size_t)image->width * image->height;
    size_t corners = ((size_t)image->width + 1) * ((size_t)image->height + 1);
    if (pixels <= spots->pixels && corners <= spots->corners) {
        return 1;
    }
    spots->pixels = 0;
    spots->corners = 0;
    free(spots->sums);
    free(spots->counts);
    free(spots->mask);
    free(spots->waiting);
    free(spots->runs);
    spots->sums = (uint64_t *)malloc(corners * sizeof *spots->sums);
    spots->counts = (uint32_t *)malloc(corners * sizeof *spots->counts);
    spots->mask = (uint8_t *)malloc(pixels * sizeof *spots->mask);
    spots->waiting = (size_t *)malloc(pixels * sizeof *spots->waiting);
    spots->runs = (FerruleRun *)malloc(pixels * sizeof *spots->runs);
    if (!spots->sums || !spots->counts || !spots->mask || !spots->waiting || !spots->runs) {
        return 0;
    }
    spots->pixels = pixels;
    spots->corners = corners;
    return 1;
}

/* --------------------------------------------------------------------------------------------------- detection --- */

/* Sums gray levels and pixels of one zone over every rectangle that begins in the top-left corner. */
static void sum_up(BrightSpots *spots, const FerruleImage *image, const uint8_t *labels, uint32_t zone)
{
    size_t across = (size_t)image->width + 1;
    uint32_t x, y;
    memset(spots->sums, 0, across * sizeof *spots->sums);
    memset(spots->counts, 0, across * sizeof *spots->counts);
    for (y = 0; y < image->height; y++) {
        const uint8_t *row = ferrule_row(image, y);
        const uint8_t *label = labels + (size_t)y * image->width;
        uint64_t *sums = spots->sums + (y + (size_t)1) * across;
        uint32_t *counts = spots->counts + (y + (size_t)1) * across;
        uint64_t sum = 0;
        uint32_t count = 0;
        sums[0] = 0;
        counts[0] = 0;
        for (x = 0; x < image->width; x++) {
            if (label[x] == zone) {
                sum += row[x];
                count++;
            }
            sums[x + 1] = sums[x + 1 - across] + sum;
            counts[x + 1] = counts[x + 1 - across] + count;
        }
    }
}

/* Marks the pixels of one zone that are brighter than the zone's mean around them. */
static void mark(BrightSpots *spots, const FerruleImage *image, const uint8_t *labels, uint32_t zone)
{
    size_t across = (size_t)image->width + 1;
    uint32_t x, y, radius = spots->radius;
    for (y = 0; y < image->height; y++) {
        const uint8_t *row = ferrule_row(image, y);
        size_t at = (size_t)y * image->width;
        size_t top = (y > radius ? y - radius : 0) * across;
        size_t bottom = (image->height - y > radius ? y + radius + 1 : image->height) * across;
        for (x = 0; x < image->width; x++) {
            size_t left, right;
            double sum, count;
            if (labels[at + x] != zone) {
                continue;
            }
            left = x > radius ? x - radius : 0;
            right = image->width - x > radius ? (size_t)x + radius + 1 : image->width;
            sum = (double)(spots->sums[bottom + right] - spots->sums[bottom + left] - spots->sums[top + right] +
                           spots->sums[top + left]);
            count = (double)(spots->counts[bottom + right] - spots->counts[bottom + left] -
                             spots->counts[top + right] + spots->counts[top + left]);
            if (row[x] - sum / count >= spots->contrast) {
                spots->mask[at + x] = BRIGHT;
            }
        }
    }
}

/* Gathers the spot that `start` belongs to, neighbours across corners included: its box and number of pixels. */
static size_t gather(BrightSpots *spots, const FerruleImage *image, size_t start, FerruleBox *box)
{
    size_t area = 0, waiting = 0, width = image->width;
    size_t left = start % width, right = left, top = start / width, bottom = top;
    spots->mask[start] = GATHERED;
    spots->waiting[waiting++] = start;
    while (waiting > 0) {
        size_t at = spots->waiting[--waiting];
        size_t x = at % width, y = at / width, to_x, to_y;
        area++;
        left = x < left ? x : left;
        right = x > right ? x : right;
        top = y < top ? y : top;
        bottom = y > bottom ? y : bottom;
        for (to_y = y > 0 ? y - 1 : 0; to_y <= y + 1 && to_y < image->height; to_y++) {
            for (to_x = x > 0 ? x - 1 : 0; to_x <= x + 1 && to_x < width; to_x++) {
                size_t to = to_y * width + to_x;
                if (spots->mask[to] == BRIGHT) {
                    spots->mask[to] = GATHERED;
                    spots->waiting[waiting++] = to;
                }
            }
        }
    }
    box->x = (uint32_t)left;
    box->y = (uint32_t)top;
    box->width = (uint32_t)(right - left + 1);
    box->height = (uint32_t)(bottom - top + 1);
    return area;
}

/* Turns the gathered pixels of a box into runs and clears them; gives the brightest one's gray level as well. */
static size_t take_runs(BrightSpots *spots, const FerruleImage *image, const FerruleBox *box, uint8_t *peak)
{
    size_t count = 0;
    uint32_t x, y;
    *peak = 0;
    for (y = box->y; y < box->y + box->height; y++) {
        const uint8_t *row = ferrule_row(image, y);
        uint8_t *mask = spots->mask + (size_t)y * image->width;
        int inside = 0;
        for (x = box->x; x < box->x + box->width; x++) {
            if (mask[x] != GATHERED) {
                inside = 0;
                continue;
            }
            if (!inside) {
                FerruleRun run = {0, 0, 0};
                run.y = y;
                run.x = x;
                spots->runs[count++] = run;
                inside = 1;
            }
            spots->runs[count - 1].length++;
            *peak = row[x] > *peak ? row[x] : *peak;
            mask[x] = 0;
        }
    }
    return count;
}

/* Tells the host about one spot. */
static void report(BrightSpots *spots, const FerruleImage *image, const FerruleBox *box, size_t area,
                   const FerruleHost *host)
{
    uint8_t peak;
    size_t runs = take_runs(spots, image, box, &peak);
    int upright = box->height > box->width;
    FerruleNamedValue brightest;
    FerruleDefect defect;
    if (area < spots->min_area) {
        return;
    }
    memset(&brightest, 0, sizeof brightest);
    brightest.name = "peak_gray";
    brightest.value.type = FERRULE_TYPE_INTEGER;
    brightest.value.integer = peak;

    memset(&defect, 0, sizeof defect);
    defect.kind = FERRULE_KIND_PARTICLE;
    defect.severity = peak == 255 ? FERRULE_SEVERITY_MEDIUM : FERRULE_SEVERITY_LOW;
    /* A spot of the smallest size may be noise; one four times as large hardly is. */
    defect.confidence = 1.0 - 0.4 * (double)spots->min_area / (double)area;
    defect.bbox = *box;
    defect.length_px = upright ? box->height : box->width;
    defect.width_px = (double)area / defect.length_px;
    defect.angle_deg = upright ? 90.0 : 0.0;
    defect.mask = spots->runs;
    defect.run_count = runs;
    defect.attributes = &brightest;
    defect.attribute_count = 1;
    host->add_defect(host, &defect);
}

static int32_t detect(void *instance, const FerruleImage *image, const FerruleSegmentation *segmentation,
                      const FerruleHost *host)
{
    BrightSpots *spots = (BrightSpots *)instance;
    size_t at, pixels = (size_t)image->width * image->height;
    uint32_t zone;
    if (image->width <= spots->radius || image->height <= spots->radius) {
        return host->fail(host, "the picture is smaller than the surroundings of one pixel; lower `radius`");
    }
    if (!reserve(spots, image)) {
        return host->fail(host, "out of memory");
    }
    memset(spots->mask, 0, pixels);
    /* Zone by zone, so that the step from one to the next is no spot. */
    for (zone = FERRULE_ZONE_CORE; zone <= spots->last_zone; zone++) {
        sum_up(spots, image, segmentation->labels, zone);
        mark(spots, image, segmentation->labels, zone);
    }
    for (at = 0; at < pixels; at++) {
        if (spots->mask[at] == BRIGHT) {
            FerruleBox box;
            size_t area = gather(spots, image, at, &box);
            report(spots, image, &box, area, host);
        }
    }
    return FERRULE_OK;
}

/* ------------------------------------------------------------------------------------------------------- table --- */

const FerrulePlugin ferrule_plugin_v1 = {
    FERRULE_PLUGIN_HEAD, describe, create, destroy, NULL /* segment */, detect, NULL /* measure */, NULL /* grade */,
};
