// On or off, with its words.

export function Switch({
  checked,
  label,
  onChange,
  hideLabel = false,
  describedBy,
  disabled = false,
}: {
  checked: boolean;
  label: string;
  onChange: (checked: boolean) => void;
  hideLabel?: boolean;
  /** Id of what says more. */
  describedBy?: string;
  disabled?: boolean;
}) {
  return (
    <label class="switch">
      <input
        type="checkbox"
        role="switch"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.currentTarget.checked)}
        aria-label={hideLabel ? label : undefined}
        aria-describedby={describedBy}
      />
      <span class="track" aria-hidden="true" />
      {!hideLabel && <span>{label}</span>}
    </label>
  );
}
