"""Plain words that are SNOMED CT codes too ('short', 'blue', 'area', 'clip'): a phrase of such words only is no concept."""

from .words import phrase

STOP = frozenset(phrase("""
abnormal absent accentuated active acute admission air all anchor angle anterior apex apical area aspect average axial back backrest band
base basal bilateral biplane black block blue blunted body border both bottle bottom bright brown calm canal capsule central chair chronic
clear clip clothing coarse coil collar color column common complete compression concentric container core coronal course cut dark deep
dense detail diffuse digital discomfort disease distal domain dome dorsal drape dry early eccentric edge effect element empty end entire
equal equivocal excision exercise external face family feature female field film fine finding first flap flat floor flow fluid focal focus
form frame front full function fundus general gold graft gray green groove group hand head heel high hilar horizontal hour image
impression in index inferior infusion inner inside inspection instrument intact intermediate internal irregular iron isthmus joint
junction knot laser last late lateral layer lead left length lens lesser level ligation light line lip liquid loop loose lower macro male
marginal mark marker mass medial median medium middle minor minute mixed mode moderate monitor motion mouth multifocal multiple narrow
neck needs negative normal nose oblique occlusion of open organ origin other outer outside oval overlap pain palm paper part pass patch
pattern peak pedicle peripheral phantom pin pink plane plaque plate point positive post posterior present press pressure primary probe
profile prone proximal pulse quadrant rash ratio red regional relaxation removal resting right ring root rotation round ruler sagittal
scan secondary section segment severe shadow shape sheath short shoulder side simple single size slide slight slow small smooth soft
source space spot staple stage standard staging state status stem step stick stone strip structure study subject superficial superior
supine surface swab swelling symptom system table tag tail taper temple test third tip tissue top total touch tract transverse treatment
trunk tube tunnel type undetermined unilateral unknown upper valley vault vertical view visual wall water wave weal well white whole
window wire wound yellow zone waist sole hair scraping imaging photograph restraint sweep glue implant implantation irrigation harvesting
fusion extraction closure drainage injury injection transfer pacing reading cough anxiety itching flushing fever nausea harvest cell
nucleus bullet pellet finger toe thumb nail drowsy circumferential fibrous preoperative perfusion entrapment media wing digit len garment
headrest jewelry baffle staining shaking peeling limping sweating sessile pedunculated
"""))
# said so often in their medical sense that they stay
KEEP = frozenset(map(phrase, (
    "mouth", "nose", "neck", "shoulder", "lip", "hand", "head", "finger", "thumb", "toe", "heel", "cell", "nucleus", "fever", "cough",
    "nausea", "rash", "mass", "wound", "swelling", "soft tissue", "B mode", "M mode", "normal wall motion",
    "external capsule", "internal capsule", "floor of mouth", "tissue section", "body fluid")))
# "left breast" is breast with a side; "left atrium" is a chamber of its own
PAIRED = frozenset(map(phrase, (
    "breast", "breast structure", "pleura", "eye", "femoral artery", "inguinal region", "lumbar region", "seminal vesicle")))


def is_plain(words):
    """True when a phrase (tuple of words) consists of plain words only, or of a single letter or number."""
    if words in KEEP:
        return False
    if words[0] in ("left", "right", "both") and words[1:] in PAIRED:
        return True
    if len(words) == 1 and len(words[0]) < 3:
        return True
    return all(word in STOP or word.isdigit() or len(word) == 1 for word in words)
