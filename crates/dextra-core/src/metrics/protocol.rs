//! The success rules of the literature. They are not comparable with one another, so a success
//! number always names its rule, and all of them are always reported.

use super::Metrics;

/// A published success rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// ManipTrans: means over the clip, `E_r` < 30 deg, `E_t` < 3 cm, `E_j` < 8 cm, `E_ft` < 6 cm;
    /// with two hands, each of them. (Its formulas print squared norms; its thresholds and tables
    /// are in centimetres, so the errors are distances.)
    Maniptrans,
    /// DexMan (section 4.2): rotation error < 0.5 rad and position error < 3 cm at every frame.
    #[default]
    Dexman,
    /// SPIDER (`postprocess/get_success_rate.py`): means, rotation < 0.5 rad, position < 10 cm.
    Spider,
    /// DexTrack (arXiv 2502.09614), the tighter pair of thresholds: per-frame average object errors
    /// < 10 cm and < 20 deg. Only the object is judged here: a condition on the hand in the joint
    /// coordinates of one robot has no counterpart for another.
    Dextrack10Cm20Deg,
    /// DexTrack, the looser pair: < 10 cm and < 40 deg.
    Dextrack10Cm40Deg,
}

impl Protocol {
    /// Every rule, in the order of reports.
    pub const ALL: [Protocol; 5] = [
        Protocol::Maniptrans,
        Protocol::Dexman,
        Protocol::Spider,
        Protocol::Dextrack10Cm20Deg,
        Protocol::Dextrack10Cm40Deg,
    ];

    /// Key in reports.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Maniptrans => "maniptrans",
            Protocol::Dexman => "dexman",
            Protocol::Spider => "spider",
            Protocol::Dextrack10Cm20Deg => "dextrack_10cm_20deg",
            Protocol::Dextrack10Cm40Deg => "dextrack_10cm_40deg",
        }
    }

    /// Limits that hold at every frame: `(position in metres, rotation in radians)`, for the rules
    /// that have them.
    pub fn every_frame(self) -> Option<(f64, f64)> {
        (self == Protocol::Dexman).then_some((0.03, 0.5))
    }

    /// Whether `metrics` meet this rule. All comparisons are strict, as published; a number that is
    /// missing or not finite meets nothing.
    pub fn is_met(self, metrics: &Metrics) -> bool {
        let mean = |t: f64, r: f64| metrics.e_t < t && metrics.e_r < r;
        match self {
            Protocol::Maniptrans => {
                mean(0.03, 30f64.to_radians())
                    && metrics.e_j.is_some_and(|e| e < 0.08)
                    && metrics.e_ft.is_some_and(|e| e < 0.06)
            }
            Protocol::Dexman => metrics.max_t.value < 0.03 && metrics.max_r.value < 0.5,
            Protocol::Spider => mean(0.10, 0.5),
            Protocol::Dextrack10Cm20Deg => mean(0.10, 20f64.to_radians()),
            Protocol::Dextrack10Cm40Deg => mean(0.10, 40f64.to_radians()),
        }
    }
}

/// Which rules a rollout meets; all false for a rollout that is not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protocols {
    /// [`Protocol::Maniptrans`].
    pub maniptrans: bool,
    /// [`Protocol::Dexman`].
    pub dexman: bool,
    /// [`Protocol::Spider`].
    pub spider: bool,
    /// [`Protocol::Dextrack10Cm20Deg`].
    pub dextrack_10cm_20deg: bool,
    /// [`Protocol::Dextrack10Cm40Deg`].
    pub dextrack_10cm_40deg: bool,
}

impl Protocols {
    /// Applies every rule.
    pub fn of(metrics: &Metrics) -> Protocols {
        Protocols {
            maniptrans: Protocol::Maniptrans.is_met(metrics),
            dexman: Protocol::Dexman.is_met(metrics),
            spider: Protocol::Spider.is_met(metrics),
            dextrack_10cm_20deg: Protocol::Dextrack10Cm20Deg.is_met(metrics),
            dextrack_10cm_40deg: Protocol::Dextrack10Cm40Deg.is_met(metrics),
        }
    }

    /// Whether one rule is met.
    pub fn passed(&self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Maniptrans => self.maniptrans,
            Protocol::Dexman => self.dexman,
            Protocol::Spider => self.spider,
            Protocol::Dextrack10Cm20Deg => self.dextrack_10cm_20deg,
            Protocol::Dextrack10Cm40Deg => self.dextrack_10cm_40deg,
        }
    }
}
