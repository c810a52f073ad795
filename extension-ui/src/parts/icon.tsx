// Lucide icons (ISC; some derive from Feather, MIT: see NOTICE), taken in at build time, only those used.
import check from 'lucide-static/icons/check.svg?raw';
import rotateCw from 'lucide-static/icons/rotate-cw.svg?raw';
import sendHorizontal from 'lucide-static/icons/send-horizontal.svg?raw';
import paperclip from 'lucide-static/icons/paperclip.svg?raw';
import smile from 'lucide-static/icons/smile.svg?raw';
import slashSquare from 'lucide-static/icons/slash-square.svg?raw';
import layoutTemplate from 'lucide-static/icons/layout-template.svg?raw';
import clipboardCheck from 'lucide-static/icons/clipboard-check.svg?raw';
import link from 'lucide-static/icons/link.svg?raw';
import unlink from 'lucide-static/icons/unlink.svg?raw';
import user from 'lucide-static/icons/user.svg?raw';
import circleDollarSign from 'lucide-static/icons/circle-dollar-sign.svg?raw';
import inbox from 'lucide-static/icons/inbox.svg?raw';
import userCheck from 'lucide-static/icons/user-check.svg?raw';
import bell from 'lucide-static/icons/bell.svg?raw';
import bellOff from 'lucide-static/icons/bell-off.svg?raw';
import settings from 'lucide-static/icons/settings.svg?raw';
import listFilter from 'lucide-static/icons/list-filter.svg?raw';
import search from 'lucide-static/icons/search.svg?raw';
import searchX from 'lucide-static/icons/search-x.svg?raw';
import lock from 'lucide-static/icons/lock.svg?raw';
import hourglass from 'lucide-static/icons/hourglass.svg?raw';
import moon from 'lucide-static/icons/moon.svg?raw';
import wifiOff from 'lucide-static/icons/wifi-off.svg?raw';
import triangleAlert from 'lucide-static/icons/triangle-alert.svg?raw';
import circleAlert from 'lucide-static/icons/circle-alert.svg?raw';
import circleX from 'lucide-static/icons/circle-x.svg?raw';
import circleCheck from 'lucide-static/icons/circle-check.svg?raw';
import clock from 'lucide-static/icons/clock.svg?raw';
import checkCheck from 'lucide-static/icons/check-check.svg?raw';
import circleQuestionMark from 'lucide-static/icons/circle-question-mark.svg?raw';
import squareArrowOutUpRight from 'lucide-static/icons/square-arrow-out-up-right.svg?raw';
import panelRight from 'lucide-static/icons/panel-right.svg?raw';
import calendarPlus from 'lucide-static/icons/calendar-plus.svg?raw';
import ellipsis from 'lucide-static/icons/ellipsis.svg?raw';
import trash2 from 'lucide-static/icons/trash-2.svg?raw';
import mapPin from 'lucide-static/icons/map-pin.svg?raw';
import mic from 'lucide-static/icons/mic.svg?raw';
import fileText from 'lucide-static/icons/file-text.svg?raw';
import play from 'lucide-static/icons/play.svg?raw';
import users from 'lucide-static/icons/users.svg?raw';
import x from 'lucide-static/icons/x.svg?raw';
import reply from 'lucide-static/icons/reply.svg?raw';
import chevronDown from 'lucide-static/icons/chevron-down.svg?raw';
import arrowLeft from 'lucide-static/icons/arrow-left.svg?raw';
import arrowDown from 'lucide-static/icons/arrow-down.svg?raw';
import plus from 'lucide-static/icons/plus.svg?raw';
import plug from 'lucide-static/icons/plug.svg?raw';
import coffee from 'lucide-static/icons/coffee.svg?raw';
import phone from 'lucide-static/icons/phone.svg?raw';
import userPlus from 'lucide-static/icons/user-plus.svg?raw';
import messageSquare from 'lucide-static/icons/message-square.svg?raw';
import keyboard from 'lucide-static/icons/keyboard.svg?raw';
import externalLink from 'lucide-static/icons/external-link.svg?raw';
import image from 'lucide-static/icons/image.svg?raw';
import download from 'lucide-static/icons/download.svg?raw';
import circleDot from 'lucide-static/icons/circle-dot.svg?raw';
import rotateCcw from 'lucide-static/icons/rotate-ccw.svg?raw';
import pause from 'lucide-static/icons/pause.svg?raw';
import cornerUpRight from 'lucide-static/icons/corner-up-right.svg?raw';
import megaphone from 'lucide-static/icons/megaphone.svg?raw';
import copy from 'lucide-static/icons/copy.svg?raw';
import chevronLeft from 'lucide-static/icons/chevron-left.svg?raw';
import chevronRight from 'lucide-static/icons/chevron-right.svg?raw';
import arrowDownWideNarrow from 'lucide-static/icons/arrow-down-wide-narrow.svg?raw';
import ban from 'lucide-static/icons/ban.svg?raw';
import pencil from 'lucide-static/icons/pencil.svg?raw';

const sources = {
  check: check,
  'rotate-cw': rotateCw,
  'send-horizontal': sendHorizontal,
  paperclip: paperclip,
  smile: smile,
  'slash-square': slashSquare,
  'layout-template': layoutTemplate,
  'clipboard-check': clipboardCheck,
  link: link,
  unlink: unlink,
  user: user,
  'circle-dollar-sign': circleDollarSign,
  inbox: inbox,
  'user-check': userCheck,
  bell: bell,
  'bell-off': bellOff,
  settings: settings,
  'list-filter': listFilter,
  search: search,
  'search-x': searchX,
  lock: lock,
  hourglass: hourglass,
  moon: moon,
  'wifi-off': wifiOff,
  'triangle-alert': triangleAlert,
  'circle-alert': circleAlert,
  'circle-x': circleX,
  'circle-check': circleCheck,
  clock: clock,
  'check-check': checkCheck,
  'circle-question-mark': circleQuestionMark,
  'square-arrow-out-up-right': squareArrowOutUpRight,
  'panel-right': panelRight,
  'calendar-plus': calendarPlus,
  ellipsis: ellipsis,
  'trash-2': trash2,
  'map-pin': mapPin,
  mic: mic,
  'file-text': fileText,
  play: play,
  users: users,
  x: x,
  reply,
  'chevron-down': chevronDown,
  'arrow-left': arrowLeft,
  'arrow-down': arrowDown,
  plus: plus,
  plug: plug,
  coffee: coffee,
  phone: phone,
  'user-plus': userPlus,
  'message-square': messageSquare,
  keyboard: keyboard,
  'external-link': externalLink,
  image: image,
  download: download,
  'circle-dot': circleDot,
  'rotate-ccw': rotateCcw,
  pause: pause,
  'corner-up-right': cornerUpRight,
  megaphone: megaphone,
  copy: copy,
  'chevron-left': chevronLeft,
  'chevron-right': chevronRight,
  'arrow-down-wide-narrow': arrowDownWideNarrow,
  ban: ban,
  pencil: pencil,
};

export type IconName = keyof typeof sources;

const inner = Object.fromEntries(
  Object.entries(sources).map(([name, svg]) => [
    name,
    svg.slice(svg.indexOf('>', svg.indexOf('<svg')) + 1, svg.lastIndexOf('</svg>')),
  ]),
);

export interface IconProps {
  readonly name: IconName;
  readonly size?: number;
  readonly class?: string;
}

/** Decoration: the name stands on the button. */
export function Icon({ name, size = 16, class: className = '' }: IconProps) {
  const stroke = size >= 18 ? 1.75 : size >= 16 ? 2 : 2.25;
  return (
    <svg
      class={`icon ${className}`}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={stroke}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      dangerouslySetInnerHTML={{ __html: inner[name] ?? '' }}
    />
  );
}

/** What a kind of record looks like. */
export function recordIcon(type: 'person' | 'lead' | 'deal'): IconName {
  return type === 'person' ? 'user' : type === 'lead' ? 'inbox' : 'circle-dollar-sign';
}
